# SPDX-License-Identifier: MIT
"""Times scheduler.step of the named classes of diffusers, each with its default configuration: float32, one thread.

Prints a line `name|elements|seconds` for each class and size, the best of the calls in the middle of a run of 12 steps.
A class whose step wants what no loop of this kind has is left out, with the reason on the error stream. Exits with 3
where torch or diffusers is not installed."""
import inspect
import sys
import time

try:
    import diffusers
    import torch
except ImportError as e:
    print(e, file=sys.stderr)
    sys.exit(3)

torch.set_num_threads(1)
diffusers.utils.logging.set_verbosity_error()


def run(scheduler, output, x):
    """Yields the seconds of every call."""
    extra = {}
    parameters = inspect.signature(scheduler.step).parameters
    if "original_image" in parameters:
        extra = {"original_image": output, "mask": torch.ones_like(output)}
    scheduler.set_timesteps(12)
    times = list(scheduler.timesteps)
    old, back = None, None
    for t in times:
        if hasattr(scheduler, "scale_model_input"):
            scheduler.scale_model_input(x, t)
        start = time.perf_counter()
        if "old_pred_original_sample" in parameters:
            x, old = scheduler.step(output, old, t, back, x, return_dict=False)
            back = t
        else:
            x = scheduler.step(output, t, x, return_dict=False, **extra)[0]
        yield time.perf_counter() - start


with torch.no_grad():
    for shape, runs in ((16, 3, 256, 256), 2), ((1, 4, 64, 64), 20):
        output = torch.full(shape, 0.25)
        for name in sys.argv[1:]:
            try:
                best = float("inf")
                for _ in range(runs):
                    seconds = list(run(getattr(diffusers, name + "Scheduler")(), output, torch.full(shape, 0.5)))
                    middle = seconds[5:10] if len(seconds) > 10 else seconds[len(seconds) // 3 :]
                    best = min(best, *middle)
                print(f"{name}|{output.numel()}|{best:.9f}", flush=True)
            except Exception as e:
                print(f"{name}: {e}", file=sys.stderr)
