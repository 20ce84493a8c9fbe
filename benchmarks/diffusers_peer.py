# SPDX-License-Identifier: MIT
"""Times scheduler.step of diffusers: float32, one thread. Prints a line `name elements seconds` for each solver and size,
the best of the steps in the middle of a run of 12. Exits with 3 where torch or diffusers is not installed."""
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
solvers = {
    "ddpm": diffusers.DDPMScheduler(clip_sample=False),
    "ddpm, clipped": diffusers.DDPMScheduler(clip_sample=True),
    "ddim": diffusers.DDIMScheduler(clip_sample=False),
    "euler": diffusers.EulerDiscreteScheduler(),
    "euler, ancestral": diffusers.EulerAncestralDiscreteScheduler(),
    "heun": diffusers.HeunDiscreteScheduler(),
    "dpmpp_2m": diffusers.DPMSolverMultistepScheduler(),
    "dpmpp_2m_sde": diffusers.DPMSolverMultistepScheduler(algorithm_type="sde-dpmsolver++"),
    "deis": diffusers.DEISMultistepScheduler(),
    "unipc": diffusers.UniPCMultistepScheduler(),
    "sa_solver": diffusers.SASolverScheduler(),
}
for shape, runs in ((16, 3, 256, 256), 2), ((1, 4, 64, 64), 20):
    output = torch.full(shape, 0.25)
    for name, scheduler in solvers.items():
        best = float("inf")
        for _ in range(runs):
            x = torch.full(shape, 0.5)
            scheduler.set_timesteps(12)
            for k, t in enumerate(scheduler.timesteps):
                scheduler.scale_model_input(x, t)
                start = time.perf_counter()
                x = scheduler.step(output, t, x, return_dict=False)[0]
                if 5 <= k < 10:
                    best = min(best, time.perf_counter() - start)
        print(f"{name}|{output.numel()}|{best:.9f}", flush=True)
