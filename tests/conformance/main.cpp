// SPDX-License-Identifier: MIT
// Replays conformance cases: conformance_runner FILE...
//
// Prints a line for each case (ok, FAIL with error and tolerance, or unsupported with the reason) and last
// "N passed, N failed, N skipped". Exit code: 0 where something passed and nothing failed, 1 where a case failed or
// none passed, 2 where a file is bad.
#include "support.hpp"

#include <zlib.h>

#include <cstdio>
#include <exception>
#include <filesystem>
#include <memory>

namespace conformance {
namespace {

/// A file that cannot be replayed.
struct bad_file : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// All of a file, unpacked where it is gzip.
std::string contents(std::string const& path)
{
    if (!std::filesystem::is_regular_file(path))
        throw bad_file(std::filesystem::exists(path) ? "not a file" : "no such file");
    std::unique_ptr<gzFile_s, int (*)(gzFile)> const file(gzopen(path.c_str(), "rb"), gzclose);
    if (!file)
        throw bad_file("it cannot be opened");
    std::string text;
    std::vector<char> block(1u << 16);
    for (;;) {
        int const n = gzread(file.get(), block.data(), static_cast<unsigned>(block.size()));
        if (n <= 0)
            break;
        text.append(block.data(), static_cast<std::size_t>(n));
    }
    int state = Z_OK;
    char const* problem = gzerror(file.get(), &state);
    if (state != Z_OK && state != Z_STREAM_END)
        throw bad_file(std::string("damaged gzip data: ") + problem);
    return text;
}

using replayer = void (*)(verdict&);

replayer replayer_of(std::string const& kind)
{
    static std::map<std::string, replayer> const kinds = {
        {"trajectory", replay_trajectory}, {"grid", replay_grid},         {"forward", replay_forward},
        {"sampler", replay_sampler},       {"sigmas", replay_sigmas},     {"table", replay_table},
        {"gaussian", replay_gaussian},     {"loss", replay_loss},         {"random", replay_random},
        {"function", replay_function},     {"guidance", replay_guidance}, {"parameters", replay_parameters},
    };
    return entry(kinds, kind, "the kind ");
}

struct counts {
    long passed = 0, failed = 0, skipped = 0;
};

void replay(json const& row, counts& total)
{
    std::string const id = at(row, "id").get<std::string>();
    try {
        verdict v(row);
        replayer_of(at(row, "kind").get<std::string>())(v);
        if (v.passed()) {
            ++total.passed;
            std::printf("ok %s\n", id.c_str());
            return;
        }
        ++total.failed;
        if (!v.left_out().empty())
            std::printf("FAIL %s %s was not computed\n", id.c_str(), v.left_out().c_str());
        else
            std::printf("FAIL %s error %.3g tolerance %.3g%s in %s\n", id.c_str(), v.error(), v.tolerance(),
                        v.in_ulps() ? " ulp" : "", v.worst_name().c_str());
    } catch (unsupported const& reason) {
        ++total.skipped;
        std::printf("unsupported %s %s\n", id.c_str(), reason.what());
    } catch (malformed const&) {
        throw;
    } catch (json::exception const& problem) {
        throw malformed(problem.what());
    } catch (std::exception const& problem) {
        ++total.failed;
        std::printf("FAIL %s %s\n", id.c_str(), problem.what());
    }
}

void replay_file(std::string const& path, counts& total)
{
    std::string const text = contents(path);
    std::size_t line = 0;
    for (std::size_t begin = 0; begin < text.size();) {
        std::size_t const end = std::min(text.find('\n', begin), text.size());
        ++line;
        std::string_view const row(text.data() + begin, end - begin);
        begin = end + 1;
        if (row.find_first_not_of(" \t\r") == std::string_view::npos)
            continue;
        try {
            json const parsed = json::parse(row);
            if (!parsed.is_object())
                throw malformed("not an object");
            replay(parsed, total);
        } catch (json::exception const& problem) {
            throw bad_file("line " + std::to_string(line) + ": " + problem.what());
        } catch (malformed const& problem) {
            throw bad_file("line " + std::to_string(line) + ": " + problem.what());
        }
    }
    if (line == 0)
        throw bad_file("it is empty");
}

} // namespace
} // namespace conformance

int main(int count, char** arguments)
{
    if (count < 2) {
        std::fprintf(stderr, "usage: %s FILE...    (.jsonl or .jsonl.gz)\n", arguments[0]);
        return 2;
    }
    conformance::counts total;
    bool bad = false;
    for (int i = 1; i < count; ++i) {
        try {
            conformance::replay_file(arguments[i], total);
        } catch (conformance::bad_file const& problem) {
            std::fflush(stdout);
            std::fprintf(stderr, "%s: %s\n", arguments[i], problem.what());
            bad = true;
        }
    }
    std::printf("%ld passed, %ld failed, %ld skipped\n", total.passed, total.failed, total.skipped);
    return bad ? 2 : total.failed > 0 || total.passed == 0 ? 1 : 0;
}
