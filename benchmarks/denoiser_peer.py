# SPDX-License-Identifier: MIT
"""The denoiser's two networks in PyTorch: images trained a second, the best of eager, channels_last and torch.compile.

Called by benchmarks/denoiser: denoiser_peer.py THREADS SECONDS; prints "unet NAME IMAGES_PER_SECOND" and the same for classic.
"""
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv(a, b):
    return nn.Conv2d(a, b, 3, padding=1)


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.first, self.second, self.film = conv(c, c), conv(c, c), nn.Linear(64, 2 * c)

    def forward(self, h, e):
        gamma, beta = self.film(e)[:, :, None, None].chunk(2, 1)
        return h + self.second(F.silu(self.first(F.silu(h)) * (1 + gamma) + beta))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.condition_map = nn.Linear(42, 64), nn.Linear(64, 1568)
        self.enter, self.down_1, self.down_2 = conv(1, 8), conv(8, 16), conv(16, 32)
        self.block_2, self.block_1, self.block_0 = Block(32), Block(16), Block(8)
        self.up_1, self.up_0, self.leave = conv(32, 16), conv(16, 8), conv(8, 1)

    def forward(self, x, features):
        e = F.silu(self.embed(features))
        h0 = self.enter(x)
        h1 = self.down_1(F.avg_pool2d(h0, 2))
        h2 = self.down_2(F.avg_pool2d(h1, 2)) + self.condition_map(e).view(-1, 32, 7, 7)
        h2 = self.block_2(h2, e)
        u1 = self.block_1(h1 + F.interpolate(self.up_1(F.silu(h2)), scale_factor=2), e)
        u0 = self.block_0(h0 + F.interpolate(self.up_0(F.silu(u1)), scale_factor=2), e)
        return self.leave(F.silu(u0))


class Classic(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = conv(1, 64), conv(64, 1)

    def forward(self, x, features):
        return self.last(F.relu(self.first(x)))


def rate(make, batch, seconds, channels_last=False, compiled=False):
    torch.manual_seed(0)
    net = make()
    x, target = torch.randn(batch, 1, 28, 28), torch.randn(batch, 1, 28, 28)
    features = torch.randn(batch, 42)
    if channels_last:
        net = net.to(memory_format=torch.channels_last)
        x, target = (v.to(memory_format=torch.channels_last) for v in (x, target))
    parameters = list(net.parameters())
    average = [p.detach().clone() for p in parameters]
    adam = torch.optim.Adam(parameters, lr=1e-3, betas=(0.9, 0.95), fused=True)
    run = torch.compile(net) if compiled else net

    def step():
        adam.zero_grad(set_to_none=True)
        F.mse_loss(run(x, features), target).backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        adam.step()
        torch._foreach_lerp_(average, [p.detach() for p in parameters], 0.005)

    for _ in range(5):
        step()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        begin = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - begin)
    return batch / best


def main():
    torch.set_num_threads(int(sys.argv[1]))
    seconds = float(sys.argv[2])
    for name, make, batch in (("unet", UNet, 32), ("classic", Classic, 128)):
        for way, options in (("eager", {}), ("channels_last", {"channels_last": True}), ("compile", {"compiled": True})):
            try:
                print(name, way, rate(make, batch, seconds, **options), flush=True)
            except Exception as error:  # torch.compile needs a working C++ compiler
                print(f"{name} {way} left out: {str(error).splitlines()[0]}", file=sys.stderr)


if __name__ == "__main__":
    main()
