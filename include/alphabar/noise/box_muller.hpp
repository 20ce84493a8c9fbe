// SPDX-License-Identifier: MIT
// Box-Muller and Philox in terms of `word`, `real`, `mask` and the operations on them that stand before its inclusion.
// It is not for users: normals.hpp includes it once for each instruction set, into that one's namespace, because a
// function's target attribute cannot be a template parameter. There is no include guard for that reason.
#if defined(ALPHABAR_ISA)

/// Two standard normals from two random words: with u = (w0 + 1/2) 2^-32 and v = (w1 + 1/2) 2^-32
///     (cosine, sine) = sqrt(-2 ln u) (cos 2 pi v, sin 2 pi v).
/// Box and Muller, "A note on the generation of random normal deviates" (1958). Absolute error below 1e-6: the largest
/// found in a search among the worst radii and angles is 9.75e-7 (radii above 5); it is 5.0e-7 over 2^20 random pairs.
///
/// The coefficients are minimax fits by linear programming in double, then rounded to float one after the other, lowest
/// power first, the rest fitted again each time. Errors in the comments are the largest ones of the rounded
/// polynomials.
ALPHABAR_ISA inline void box_muller(word w0, word w1, real& cosine, real& sine)
{
    // s = -2 ln u. With g = 2 min(u, 1 - u) = 2^n m, m in [1, 2), either 1 - u = d/2 for d = g and n = 0, or
    // u = 2^n (1 - d/2) for d = 2 - m; so u is never rounded where it is close to 1.
    mask const lower = not_bit_31(w0);
    real const g = scale(add(from_signed(invert_if_bit_31(w0)), reals(0.5f)), -31);
    real const d = sub_if(lower, reals(2), mantissa(g), g);
    real const n = exponent_if(lower, g);
    // -2 ln(1 - d/2) / d on [0, 1]: weighted so that r errs by at most 7.7e-8; the product with d by at most 9.2e-8
    real p = reals(0x1.620594p-7f);
    p = fma(p, d, reals(-0x1.70e6fcp-6f));
    p = fma(p, d, reals(0x1.0b1730p-5f));
    p = fma(p, d, reals(-0x1.bc8a42p-9f));
    p = fma(p, d, reals(0x1.2835c6p-5f));
    p = fma(p, d, reals(0x1.524fcap-4f));
    p = fma(p, d, reals(0x1.000a80p-2f));
    p = fma(p, d, reals(1));
    real const s = fma(d, p, mul(n, reals(-0x1.62e430p+0f))); // -2 ln 2

    // 2 pi v = pi/2 (q + t), t in [-1/2, 1/2): t are the low 30 bits of w1 as a signed fraction, with the 1/2 behind
    // them; q are the top two bits, rounded.
    word const quarter = add(w1, words(0x20000000));
    mask const odd = bit_30(quarter);
    real const t = scale(from_signed(times_4_plus_2(w1)), -32);
    real const y = mul(t, t);
    real c = reals(0x1.be2fb4p-11f); // cos(pi/2 t), error 1.9e-9
    c = fma(c, y, reals(-0x1.555c22p-6f));
    c = fma(c, y, reals(0x1.03c0eap-2f));
    c = fma(c, y, reals(-0x1.3bd3cap+0f));
    c = fma(c, y, reals(1));
    real z = reals(-0x1.2d1438p-8f); // sin(pi/2 t), error 1.4e-9
    z = fma(z, y, reals(0x1.465b2ep-4f));
    z = fma(z, y, reals(-0x1.4abbacp-1f));
    z = fma(z, y, reals(0x1.243f6ap-1f));
    z = fma(z, t, t);

    // q = 0: (c, z), 1: (-z, c), 2: (-c, -z), 3: (z, -c); the sign of q = 2, 3 goes to r.
    real const r = negate_by_bit_31(square_root(s), quarter);
    cosine = mul(r, select_negated(odd, z, c));
    sine = mul(r, select(odd, c, z));
}

#if defined(ALPHABAR_ISA_ENTRY)

/// Philox and Box-Muller for `lanes` blocks; `first_product` is M0 * block in each 64-bit lane. Words are kept in the
/// low halves of the lanes: a product reads only these, and leaves the next low word where it is, the high one a shift
/// away.
ALPHABAR_ISA inline void generate_group(philox_start const& s, wide first_product, float* out)
{
    wide const m0 = wides(philox_m0), m1 = wides(philox_m1);
    wide const c2_1 = exclusive_or(high(first_product), words(s.c2_1));
    wide b = product(c2_1, m1);
    wide a = product(exclusive_or(high(b), words(s.c0_2)), m0);
    wide c1 = b;
    b = product(exclusive_or(first_product, words(s.c2_2)), m1);
    wide c3 = words(s.c3_2);
#if defined(__clang__)
#pragma clang loop unroll(full)
#else
#pragma GCC unroll 8
#endif
    for (int round = 2; round < 9; ++round) {
        wide const c0 = exclusive_or(high(b), c1, words(s.k0[round])),
                   c2 = exclusive_or(high(a), c3, words(s.k1[round]));
        c1 = b, c3 = a;
        a = product(c0, m0), b = product(c2, m1);
    }
    // The last round packs words 0 and 2, and words 1 and 3, of each block into one lane.
    word const keys = pack_low(words(s.k0[9]), words(s.k1[9]));
    word const w0_w2 = exclusive_or(pack_high(b, a), pack_low(c1, c3), keys), w1_w3 = pack_low(b, a);
    real cosine, sine;
    box_muller(w0_w2, w1_w3, cosine, sine);
    store_pairs(out, cosine, sine);
}

struct blocks {
    static constexpr std::size_t group = lanes * 4; ///< normals that are made at once

    /// Writes the normals of `groups` times `lanes` blocks from block `first` on; calls `between` before each group.
    ALPHABAR_ISA_ENTRY static void generate(philox_start const& s, std::uint64_t first, float* out, std::size_t groups,
                                            group_hook between)
    {
        wide first_product = product(add_64(wides(first), lane_blocks()), wides(philox_m0));
        wide const step = wides(lanes * std::uint64_t{philox_m0});
        for (std::size_t i = 0; i < groups; ++i) {
            between(out + i * group, group);
            generate_group(s, first_product, out + i * group);
            first_product = add_64(first_product, step);
        }
    }
};

#endif // vectors
#endif // an instruction set
