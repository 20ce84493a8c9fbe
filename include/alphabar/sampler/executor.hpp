// SPDX-License-Identifier: MIT
// The executor: runs a plan stage by stage, while the caller calls the network.
#pragma once

#include <alphabar/backends/span.hpp>
#include <alphabar/core/aligned.hpp>
#include <alphabar/core/error.hpp>
#include <alphabar/core/reduce.hpp>
#include <alphabar/core/tensor.hpp>
#include <alphabar/core/transform.hpp>
#include <alphabar/noise/stream.hpp>
#include <alphabar/sampler/lower.hpp>
#include <alphabar/sampler/pass.hpp>
#include <alphabar/sampler/plan.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace alphabar {

namespace detail {

template <class X>
auto make_view(value_t<X>* data, shape const& s, [[maybe_unused]] auto const& space)
{
    if constexpr (requires { traits_of<X>::view(data, s, space); })
        return traits_of<X>::view(data, s, space);
    else if constexpr (requires { traits_of<X>::view(data, s); })
        return traits_of<X>::view(data, s);
    else
        return tensor_view<value_t<X>, traits_of<X>::order>{data, s};
}

} // namespace detail

/// How an executor shows its arrays to the network: what tensor_traits<X>::view(data, shape[, space]) returns where a
/// backend has it (Eigen: a Map; xtensor: an adaptor), else a tensor_view. A backend of another space returns its own
/// view.
template <class X>
using view_of = decltype(detail::make_view<X>(std::declval<value_t<X>*>(), std::declval<shape const&>(),
                                              traits_of<X>::space(std::declval<X const&>())));

/// The bytes of work memory that a run of `plan` from an x of this shape and element type needs: what one may lend to
/// an executor.
template <class T>
std::size_t work_bytes(lowered_plan const& plan, shape const& s);

namespace detail {

/// Arrays lie an odd number of cache lines apart, so that equal offsets in them do not fall into one set of a cache.
template <class T>
std::size_t array_stride(shape const& s)
{
    std::size_t const bytes = (s.size() * sizeof(T) + buffer_alignment - 1) / buffer_alignment * buffer_alignment;
    return bytes + 5 * buffer_alignment;
}

template <class P>
std::shared_ptr<lowered_plan const> lowered(P const& plans)
{
    if constexpr (std::is_same_v<P, lowered_plan>)
        return {std::shared_ptr<void>(), &plans}; // the caller's: it must outlive the run
    else if constexpr (std::is_same_v<P, plan>)
        return std::make_shared<lowered_plan const>(lower(plans));
    else
        return std::make_shared<lowered_plan const>(lower(std::span<plan const>(plans)));
}

/// |m|^2 and |z|^2, element by element, of a Langevin step.
template <class C>
struct memory_square {
    C x, other;
    constexpr double operator()(auto state, auto output) const
    {
        auto const m = static_cast<double>(x * static_cast<C>(state) + other * static_cast<C>(output));
        return m * m;
    }
};
struct noise_square {
    constexpr double operator()(auto z) const { return static_cast<double>(z) * static_cast<double>(z); }
};

/// The noise of a run as one callable: index -> tensor or generator.
template <class Noise>
struct noise_of {
    Noise noise;
    decltype(auto) operator()(std::uint32_t index) { return noise(index); }
};
template <>
struct noise_of<noise_stream> {
    noise_stream noise;
    noise_field operator()(std::uint32_t index) const { return noise(purpose::sampler, index); }
};

} // namespace detail

/// A plan that an executor takes: a plan, one for each sample of the batch (std::vector<plan>, ...), or a lowered_plan.
template <class P>
concept sampling_plan =
    std::same_as<P, plan> || std::same_as<P, lowered_plan> || std::convertible_to<P const&, std::span<plan const>>;

/// A noise that an executor takes: a noise_stream, whose purpose::sampler and step = noise index are used, or a
/// callable (std::uint32_t index) -> tensor of x's shape or generator.
template <class N>
concept sampling_noise = std::same_as<N, noise_stream> || requires(N& n, std::uint32_t index) {
    requires tensor<decltype(n(index))> || generator<std::remove_cvref_t<decltype(n(index))>>;
};

/// What inpainting knows: where `mask` is not 0, a stage takes its row `masked`, which may read `data`.
template <class T, storage_order Order>
struct known_data {
    tensor_view<T const, Order> data;
    tensor_view<T const, Order> mask;
};
/// Both have x's shape and element type; their memory outlives the run.
template <tensor D, tensor M>
auto known(D const& data, M const& mask)
{
    static_assert(std::is_same_v<value_t<D>, value_t<M>> && traits_of<D>::order == traits_of<M>::order,
                  "alphabar: known data and mask differ in element type or order");
    auto const viewed = [](auto const& t) {
        std::span<value_t<D> const> const elements = traits_of<decltype(t)>::elements(t);
        return tensor_view<value_t<D> const, traits_of<D>::order>{elements.data(), traits_of<decltype(t)>::shape(t)};
    };
    return known_data<value_t<D>, traits_of<D>::order>{viewed(data), viewed(mask)};
}

/// What `executor::next` returns: the next call of the network, output = network(input, time).
template <class View>
struct pending_call {
    View input;                    ///< valid until take()
    double time;                   ///< of sample 0, where samples follow plans of their own
    std::span<double const> times; ///< one for each sample
    std::size_t stage;             ///< the plan's stage
    bool done;                     ///< no call is left; the state is the sample
    explicit operator bool() const { return !done; }
};

/// Runs a plan in place on x, while the caller calls the network:
///
///     executor run(plan, x, noise);
///     while (auto const call = run.next()) {
///         network(call.input, call.time, output);
///         run.take(output);
///     }
///
/// Nothing is allocated after construction (on one thread, and as far as the caller's noise does not). Every stage is
/// one pass over memory. x and what is lent must outlive the run. At the end the sample lies in x; on the way it may
/// lie in a work array: state() shows it.
///
/// The network's output has x's shape, with `heads` times as many channels along axis 1 (axis 0 of a tensor of one
/// dimension), and any element type.
///
/// NaN: an element that is NaN stays NaN and touches no other element; a dynamic threshold counts it as the largest.
/// Bits: the same for any number of threads, for a batch or its samples alone, and for a run that was saved and
/// restored.
template <writable_tensor X, sampling_noise Noise>
class executor {
public:
    using value_type = value_t<X>;
    using compute_type = compute_t<value_type>;
    using view_type = view_of<X>;

    /// Throws std::invalid_argument for what `lower` refuses, where plans are not one for each sample, where a stage
    /// reads known data and there is none, and where `work` is smaller than work_bytes().
    template <sampling_plan P, class Y>
        requires std::same_as<std::remove_cvref_t<Y>, X>
    executor(P const& plans, Y&& x, Noise noise, std::span<std::byte> work = {})
        : executor(detail::lowered(plans), x, std::move(noise), nullptr, nullptr, work)
    {
    }
    template <sampling_plan P, class Y>
        requires std::same_as<std::remove_cvref_t<Y>, X>
    executor(P const& plans, Y&& x, Noise noise, known_data<value_type, traits_of<X>::order> const& known,
             std::span<std::byte> work = {})
        : executor(detail::lowered(plans), x, std::move(noise), checked(known.data, "data", x),
                   checked(known.mask, "mask", x), work)
    {
    }

    /// A lowered plan must outlive the run: a temporary does not compile.
    template <class Y, class... Rest>
    executor(lowered_plan const&& plan, Y&& x, Noise noise, Rest&&... rest) = delete;

    executor(executor&&) = default;
    executor& operator=(executor&&) = default;

    /// The next call of the network. Stages without a call that stand before it are run. Called again before take(), it
    /// returns the same.
    pending_call<view_type> next()
    {
        while (stage_ < plan_->stages() && !plan_->calls(stage_))
            run_without_call();
        bool const done = stage_ == plan_->stages();
        if (!done && !waiting_)
            prepare();
        return {view(done ? plan_->state(stage_) : plan_->input(stage_)), done ? 0.0 : plan_->time(stage_, 0), times_,
                stage_, done};
    }

    /// Takes the network's output for the call that next() returned, and runs its stage. A `mixed` output is several
    /// predictions, of which the stage makes its own as it reads them; `output` is then the first.
    ///
    /// Throws std::invalid_argument without next(), for an output of the wrong shape, and for one that lies in the
    /// executor's arrays; nothing is written then.
    template <tensor Output>
    void take(Output const& output, mixed_output<value_t<Output>> const& mixed = {})
    {
        require(waiting_, "executor::take", "the output", "not asked for", "call next() first");
        shape const found = traits_of<Output>::shape(output), wanted = output_shape();
        if (found != wanted) // words are made only where they are needed: nothing is allocated
            reject("executor::take", "the shape of the output", to_string(found), "it must be " + to_string(wanted));
        static_assert(traits_of<Output>::order == traits_of<X>::order ||
                          traits_of<Output>::order == storage_order::row_major,
                      "alphabar: the network's output and x differ in their order");
        auto const elements = traits_of<Output>::elements(output);
        require(elements.size() == wanted.size() && (elements.data() != nullptr || wanted.size() == 0),
                "executor::take", "the output", "without its elements", "it must have memory for its shape");
        auto const bytes = detail::byte_range::of(std::span<value_t<Output> const>(elements));
        for (std::size_t r = 0; r < plan_->registers(); ++r)
            require(
                !overlap(bytes, detail::byte_range::of(std::span<value_type const>(arrays_.array[r], shape_.size()))),
                "executor::take", "the output", "in the executor's memory",
                "it must lie apart from x and from the input");
        require(mixed.parts < 2 || (detail::reads_host_memory<space_type> && mixed.parts <= mixed.max_parts &&
                                    plan_->heads() == 1 && !plan_->scales(stage_)),
                "executor::take", "the predictions that are mixed", mixed.parts,
                "2 to 4, in host memory, of one head, at a stage that is not Langevin's");
        pass_arrays<value_type, value_t<Output>> arrays = arrays_of<value_t<Output>>();
        arrays.output = elements.data();
        arrays.mixed = mixed;
        run(arrays);
        waiting_ = false;
    }

    /// Runs the next stage if it calls no network, and says whether it did: for those who look at the state after every
    /// stage.
    bool take()
    {
        require(!waiting_, "executor::take", "the output", "missing", "next() was called: this stage has a call");
        if (done() || plan_->calls(stage_))
            return false;
        run_without_call();
        return true;
    }

    /// The state: x at first, the sample at the end. Between next() and take() it has had the next stage's churn.
    view_type state() const { return view(waiting_ ? state_ : plan_->state(stage_)); }
    /// Stages that have been run: the index of the next one.
    std::size_t stage() const { return stage_; }
    bool done() const { return stage_ == plan_->stages(); }
    lowered_plan const& plan_run() const { return *plan_; }
    /// The shape of the network's output.
    shape output_shape() const
    {
        if (plan_->heads() == 1)
            return shape_;
        std::array<std::size_t, shape::max_rank> extents{};
        std::copy(shape_.extents().begin(), shape_.extents().end(), extents.begin());
        extents[shape_.rank() < 2 ? 0 : 1] *= plan_->heads();
        return shape(std::span<std::size_t const>(extents.data(), std::max<std::size_t>(shape_.rank(), 1)));
    }

    /// Elements of your own memory as the executor shows its arrays: for an output.
    view_type view_like_x(value_type* data, shape const& s) const { return detail::make_view<X>(data, s, space_); }

    /// The bytes of work memory that this run needs.
    std::size_t work_bytes() const { return alphabar::work_bytes<value_type>(*plan_, shape_); }

    /// The run as it stands, between stages or between next() and take(): the stage and the arrays that are still read.
    /// For the same machine: bytes are in its order.
    std::vector<std::byte> save() const
        requires detail::reads_host_memory<decltype(traits_of<X>::space(std::declval<X const&>()))>
    {
        std::uint64_t const live = plan_->live(stage_, waiting_);
        header const h = header_now();
        std::size_t const size = shape_.size() * sizeof(value_type);
        std::vector<std::byte> bytes(sizeof h + static_cast<std::size_t>(std::popcount(live)) * size);
        std::memcpy(bytes.data(), &h, sizeof h);
        std::byte* to = bytes.data() + sizeof h;
        for (std::size_t r = 0; r < plan_->registers(); ++r)
            if (live >> r & 1 && size > 0) {
                std::memcpy(to, arrays_.array[r], size);
                to += size;
            }
        return bytes;
    }

    /// Continues where `save` was called, in a run of an equal plan from an x of the same shape and type.
    ///
    /// Throws std::invalid_argument where the bytes are not that; nothing is written then.
    void restore(std::span<std::byte const> bytes)
        requires detail::reads_host_memory<decltype(traits_of<X>::space(std::declval<X const&>()))>
    {
        header h{};
        require(bytes.size() >= sizeof h, "executor::restore", "the number of bytes", bytes.size(),
                "it is too small for a saved run");
        std::memcpy(&h, bytes.data(), sizeof h);
        header const here = header_now();
        require(h.magic == here.magic && h.fingerprint == here.fingerprint && h.elements == here.elements &&
                    h.element_bytes == here.element_bytes,
                "executor::restore", "the saved run", "of another plan, shape or element type",
                "restore it into an equal run");
        require(h.stage <= plan_->stages() && h.waiting <= 1 &&
                    (h.waiting == 0 || (h.stage < plan_->stages() && plan_->calls(h.stage))),
                "executor::restore", "the saved stage", h.stage, "the plan has no such stage");
        std::uint64_t const live = plan_->live(h.stage, h.waiting != 0);
        std::size_t const size = shape_.size() * sizeof(value_type);
        require(bytes.size() == sizeof h + static_cast<std::size_t>(std::popcount(live)) * size, "executor::restore",
                "the number of bytes", bytes.size(), "it is not that of this stage's arrays");
        std::byte const* from = bytes.data() + sizeof h;
        for (std::size_t r = 0; r < plan_->registers(); ++r)
            if (live >> r & 1 && size > 0) {
                std::memcpy(static_cast<void*>(arrays_.array[r]), from, size);
                from += size;
            }
        stage_ = h.stage;
        waiting_ = h.waiting != 0;
        if (waiting_)
            describe_call();
    }

private:
    using space_type = std::remove_cvref_t<decltype(traits_of<X>::space(std::declval<X const&>()))>;
    using noise_result = decltype(std::declval<detail::noise_of<Noise>&>()(std::uint32_t{}));
    using noise_source = std::remove_cvref_t<noise_result>;
    static constexpr bool noise_is_value = !std::is_reference_v<noise_result>;
    using held_noise = std::conditional_t<noise_is_value, std::optional<noise_source>, noise_source const*>;

    struct header {
        std::uint64_t magic, fingerprint, elements, element_bytes, stage, waiting;
    };

    template <class Y>
    executor(std::shared_ptr<lowered_plan const> plan, Y& x, Noise noise, value_type const* data,
             value_type const* mask, std::span<std::byte> work)
        : plan_(std::move(plan)), shape_(traits_of<X>::shape(x)), space_(traits_of<X>::space(x)),
          noise_{std::move(noise)}
    {
        auto const elements = traits_of<X>::elements(x);
        require(elements.size() == shape_.size() && (elements.data() != nullptr || shape_.size() == 0), "executor", "x",
                "without its elements", "it must have memory for its shape");
        std::size_t const batch = shape_.batch(), plans = plan_->plans();
        require(plans == 1 || plans == batch, "executor", "the number of plans", plans,
                "there must be one, or one for each sample of the batch of " + std::to_string(batch));
        require(!plan_->reads_data() || (data != nullptr && mask != nullptr) || shape_.size() == 0, "executor",
                "known data", "missing", "a stage of this plan reads data or a mask: pass known(data, mask)");
        auto const bytes_of_x = detail::byte_range::of(std::span<value_type const>(elements));
        for (value_type const* known : {data, mask})
            require(known == nullptr || !overlap(bytes_of_x, detail::byte_range::of(std::span(known, shape_.size()))),
                    "executor", "known data", "in the memory of x", "x is overwritten: data and mask must lie apart");
        require(!overlap(bytes_of_x, detail::byte_range::of(work)), "executor", "work", "in the memory of x",
                "it must lie apart");
        arrays_.array[0] = elements.data();
        arrays_.data = data;
        arrays_.mask = mask;
        arrays_.rows = batch;
        arrays_.row_size = shape_.sample_size();
        arrays_.heads = plan_->heads();
        if (std::size_t const needed = work_bytes(); needed > 0) {
            if (work.empty()) {
                if constexpr (detail::reads_host_memory<space_type>)
                    own_.resize(needed);
                else
                    reject("executor", "work", "empty",
                           "a device's work memory is lent by the caller: work_bytes() of it");
                work = own_;
            }
            require(work.size() >= needed, "executor", "the bytes of work", work.size(),
                    "it must be at least " + std::to_string(needed));
            auto const address = reinterpret_cast<std::uintptr_t>(work.data());
            std::byte* at = work.data() + (buffer_alignment - address % buffer_alignment) % buffer_alignment;
            for (std::size_t r = 1; r < plan_->registers(); ++r, at += detail::array_stride<value_type>(shape_))
                arrays_.array[r] = reinterpret_cast<value_type*>(at);
        }
        times_.resize(batch);
        bound_.reserve(plan_->stages() * plans);
        bool thresholds = false, scales = false;
        for (std::size_t i = 0; i < plan_->stages(); ++i)
            for (std::size_t k = 0; k < plans; ++k) {
                lowered_pass const& p = plan_->pass(i, k);
                bound_.push_back(bind_pass<compute_type>(p));
                thresholds = thresholds || p.operation.what == x0_operation::kind::dynamic_threshold;
                scales = scales || p.scales;
            }
        if (thresholds)
            thresholds_.resize(batch, compute_type(1));
        if (scales) {
            require(detail::reads_host_memory<space_type>, "executor", "a Langevin step", "on a device",
                    "its norms are computed on the host only");
            scaled_.resize(batch);
            squares_.resize(batch);
            norms_.resize(3 * batch);
        }
        lifts_.resize(plans);
        if (plan_->draws()) {
            held_.resize(plans);
            sources_.resize(plans);
            source_of_row_.resize(batch);
        }
    }

    template <class Y>
    static value_type const* checked(tensor_view<value_type const, traits_of<X>::order> const& known, char const* name,
                                     Y const& x)
    {
        shape const wanted = traits_of<X>::shape(x);
        require(known.shape == wanted, "executor", "the shape of the known " + std::string(name),
                to_string(known.shape), "it must be " + to_string(wanted));
        require(known.data != nullptr || wanted.size() == 0, "executor", "the known " + std::string(name), "null",
                "it must have memory for its shape");
        return known.data;
    }

    view_type view(std::uint8_t r) const { return detail::make_view<X>(arrays_.array[r], shape_, space_); }

    template <class Output>
    pass_arrays<value_type, Output> arrays_of() const
    {
        pass_arrays<value_type, Output> a;
        a.array = arrays_.array;
        a.data = arrays_.data;
        a.mask = arrays_.mask;
        a.rows = arrays_.rows;
        a.row_size = arrays_.row_size;
        a.heads = arrays_.heads;
        return a;
    }

    header header_now() const
    {
        return {0x316e75726162616cu, plan_->fingerprint(), shape_.size(), sizeof(value_type), stage_,
                waiting_ ? 1u : 0u};
    }

    /// Asks the caller for the noise of each sample whose pass draws; equal indices of neighbours are asked for once.
    template <class Index>
    row_noise<noise_source> draw(Index const& index_of)
    {
        std::size_t const plans = plan_->plans();
        std::optional<std::uint32_t> last;
        std::size_t count = 0;
        for (std::size_t k = 0; k < plans; ++k) {
            std::optional<std::uint32_t> const index = index_of(k);
            if (index && index != last) {
                if constexpr (noise_is_value)
                    held_[count].emplace(noise_(*index)), sources_[count] = &*held_[count];
                else
                    sources_[count] = held_[count] = &noise_(*index);
                if constexpr (tensor<noise_source> && !generator<noise_source>) {
                    shape const found = traits_of<noise_source>::shape(*sources_[count]);
                    if (found != shape_)
                        reject("executor", "the shape of the noise", to_string(found),
                               "it must be " + to_string(shape_));
                    std::span<value_t<noise_source> const> const elements =
                        traits_of<noise_source>::elements(*sources_[count]);
                    require(elements.size() == shape_.size() && (elements.data() != nullptr || shape_.size() == 0),
                            "executor", "the noise", "without its elements", "it must have memory for its shape");
                }
                last = index;
                ++count;
            }
            if (plans > 1)
                source_of_row_[k] = static_cast<std::uint32_t>(count == 0 ? 0 : count - 1);
        }
        return {sources_.data(), plans > 1 ? source_of_row_.data() : nullptr};
    }

    template <class Output>
    void run(pass_arrays<value_type, Output> const& arrays)
    {
        std::size_t const plans = plan_->plans();
        bound_pass<compute_type> const* const passes = bound_.data() + stage_ * plans;
        run_passes(passes, arrays, thresholds_.empty() ? nullptr : thresholds_.data(), [&](std::size_t k) {
            lowered_pass const& p = plan_->pass(stage_, k);
            return p.draws ? std::optional(p.noise) : std::nullopt;
        });
        ++stage_;
    }

    template <class Output, class Index>
    void run_passes(bound_pass<compute_type> const* passes, pass_arrays<value_type, Output> const& arrays,
                    compute_type* thresholds, Index const& index_of)
    {
        std::size_t const plans = plan_->plans();
        bool draws = false;
        for (std::size_t k = 0; k < plans; ++k)
            draws = draws || passes[k].draws;
        if (draws) {
            row_noise<noise_source> const noise = draw(index_of);
            if constexpr (detail::reads_host_memory<space_type>)
                if (passes != lifts_.data() && plan_->scales(stage_))
                    return run_stage(space_, langevin(passes, arrays, noise), false, arrays, noise, thresholds);
            run_stage(space_, passes, plans == 1, arrays, noise, thresholds);
        } else {
            detail::no_noise const none;
            detail::no_noise const* const source = &none;
            run_stage(space_, passes, plans == 1, arrays, row_noise<detail::no_noise>{&source, nullptr}, thresholds);
        }
    }

    /// The passes of a Langevin stage, one a sample, with the coefficients that the norms give.
    template <class Output>
    bound_pass<compute_type> const* langevin(bound_pass<compute_type> const* passes,
                                             pass_arrays<value_type, Output> const& a,
                                             row_noise<noise_source> const& noise)
    {
        std::size_t const plans = plan_->plans(), batch = a.rows;
        double *const m = norms_.data(), *const z = m + batch, *const part = z + batch;
        for (std::size_t row = 0; row < batch; ++row) {
            scaled_[row] = passes[plans == 1 ? 0 : row];
            squares_[row] = {scaled_[row].memory_x, scaled_[row].memory_other};
        }
        row_layout const layout{batch, a.row_size};
        if (batch == 0 || a.row_size == 0)
            return scaled_.data();
        reduce_rows_n(space_, layout, row_formulas<detail::memory_square<compute_type>>{squares_.data()}, m,
                      stored_source<value_type>{a.array[scaled_[0].state]}, stored_source<Output>{a.output});
        for (std::size_t row = 0; row < batch; ++row) {
            if (row == 0 || &noise[row] != &noise[row - 1])
                reduce_rows_n(space_, layout, one_formula<detail::noise_square>{}, part,
                              detail::source_of<compute_type>(noise[row]));
            z[row] = std::sqrt(part[row]);
            m[row] = std::sqrt(m[row]);
        }
        tree_sum all_m, all_z;
        for (std::size_t row = 0; row < batch; ++row)
            all_m.add(m[row]), all_z.add(z[row]);
        for (std::size_t row = 0; row < batch; ++row) {
            lowered_pass const& p = plan_->pass(stage_, row);
            if (!p.scales)
                continue;
            double const above = p.langevin.over_batch ? all_z.value() : z[row];
            double const below = p.langevin.over_batch ? all_m.value() : m[row];
            double const ratio = below == 0.0 ? 0.0 : p.langevin.snr * above / below;
            bound_row<compute_type>& x = scaled_[row].rows[0];
            for (std::size_t t = 0; t < x.terms; ++t) {
                operand::kind const from = scaled_[row].read[x.read[t]].what;
                double const factor = from == operand::kind::memory  ? 2.0 * ratio * ratio
                                      : from == operand::kind::noise ? 2.0 * ratio
                                                                     : 1.0;
                x.coefficient[t] = static_cast<compute_type>(static_cast<double>(x.coefficient[t]) * factor);
            }
        }
        return scaled_.data();
    }

    /// What stands before the stage's call: churn, and the scaled input where the stage before has not made it.
    void lift()
    {
        if (!plan_->lift(stage_, 0).runs)
            return;
        std::size_t const plans = plan_->plans();
        for (std::size_t k = 0; k < plans; ++k) {
            lowered_lift const& l = plan_->lift(stage_, k);
            bound_pass<compute_type>& p = lifts_[k] = {};
            p.state = l.from;
            p.read[0] = {operand::kind::array, l.from};
            p.read[1] = {operand::kind::noise, 0};
            p.draws = l.churns && l.add != 0;
            p.reads = p.draws ? 2 : 1;
            p.rows_written = 1;
            p.rows[0].terms = p.draws ? 2 : 1;
            p.rows[0].read = {0, 1};
            p.scale = static_cast<compute_type>(l.scale);
            p.input = l.input;
            if (l.churns) {
                p.rows[0].target = l.to;
                p.rows[0].coefficient = {static_cast<compute_type>(l.keep), static_cast<compute_type>(l.add)};
                p.writes_input = l.writes_input;
            } else {
                p.rows[0].target = l.input;
                p.rows[0].coefficient = {p.scale};
            }
        }
        run_passes(lifts_.data(), arrays_, nullptr, [&](std::size_t k) {
            lowered_lift const& l = plan_->lift(stage_, k);
            return lifts_[k].draws ? std::optional(l.noise) : std::nullopt;
        });
    }

    void describe_call()
    {
        for (std::size_t row = 0; row < times_.size(); ++row)
            times_[row] = plan_->time(stage_, row);
        state_ = plan_->lift(stage_, 0).to;
    }

    void prepare()
    {
        lift();
        describe_call();
        waiting_ = true;
    }

    void run_without_call()
    {
        lift();
        run(arrays_);
    }

    std::shared_ptr<lowered_plan const> plan_;
    shape shape_;
    space_type space_;
    detail::noise_of<Noise> noise_;
    pass_arrays<value_type, value_type> arrays_;
    aligned_vector<std::byte> own_;
    std::vector<bound_pass<compute_type>> bound_, lifts_, scaled_; // scaled_ and what follows are of Langevin steps
    std::vector<detail::memory_square<compute_type>> squares_;
    std::vector<double> norms_;
    std::vector<compute_type> thresholds_;
    std::vector<double> times_;
    std::vector<held_noise> held_;
    std::vector<noise_source const*> sources_;
    std::vector<std::uint32_t> source_of_row_;
    std::size_t stage_ = 0;
    std::uint8_t state_ = 0;
    bool waiting_ = false;
};

template <class P, class X, class Noise, class... Rest>
executor(P const&, X&&, Noise, Rest&&...) -> executor<std::remove_cvref_t<X>, Noise>;

template <class T>
std::size_t work_bytes(lowered_plan const& plan, shape const& s)
{
    std::size_t const arrays = plan.registers() - 1;
    return arrays == 0 ? 0 : arrays * detail::array_stride<T>(s) + buffer_alignment;
}

} // namespace alphabar
