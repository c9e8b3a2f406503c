#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""train_torch.py [32m|88m|287m|all] [STEPS] -- PyTorch's speed at the shapes
of bench_gpu.

What people would use: torch.compile, flash attention by
scaled_dot_product_attention on global layers and flex_attention on windowed
ones, fused AdamW; once in bf16 autocast over fp32 weights, once all in bf16.
Prints one JSON object a line.
"""
import json
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.attention.flex_attention import (create_block_mask,
                                               flex_attention)

VOCABULARY, ROW, WINDOW, PEAK = 8192, 2048, 512, 790e12
SHAPES = {
    "32m": (8, 512, 8, 4, 1408, 64),
    "88m": (12, 768, 12, 4, 2048, 48),
    "287m": (24, 1024, 16, 4, 2816, 24),
}


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


class Layer(nn.Module):
    def __init__(self, width, heads, kv_heads, ffn, windowed):
        super().__init__()
        self.heads, self.kv_heads, self.windowed = heads, kv_heads, windowed
        self.d = width // heads
        self.norm1 = nn.RMSNorm(width, eps=1e-5)
        self.norm2 = nn.RMSNorm(width, eps=1e-5)
        self.qkv = nn.Linear(width, (heads + 2 * kv_heads) * self.d,
                             bias=False)
        self.o = nn.Linear(width, width, bias=False)
        self.gate_up = nn.Linear(width, 2 * ffn, bias=False)
        self.down = nn.Linear(ffn, width, bias=False)

    def forward(self, x, cos, sin, mask):
        b, t, c = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, -1, self.d).transpose(1, 2)
        q, k, v = qkv.split((self.heads, self.kv_heads, self.kv_heads), 1)
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        q, k = q.to(v.dtype), k.to(v.dtype)
        if self.windowed:
            y = flex_attention(q, k, v, block_mask=mask, enable_gqa=True)
        else:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True,
                                               enable_gqa=True)
        x = x + self.o(y.transpose(1, 2).reshape(b, t, c))
        gate, up = self.gate_up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


class Model(nn.Module):
    def __init__(self, layers, width, heads, kv_heads, ffn):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList(
            Layer(width, heads, kv_heads, ffn, i % 4 != 0 and i + 1 != layers)
            for i in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.output = nn.Linear(width, VOCABULARY, bias=False)
        angles = torch.outer(torch.arange(ROW).float(), 10000.0 ** (
            -torch.arange(0, 64, 2).float() / 64))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids, targets, mask):
        x = self.embedding(ids)
        cos, sin = self.cos.to(x.dtype), self.sin.to(x.dtype)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        logits = self.output(self.norm(x))
        return F.cross_entropy(logits.view(-1, VOCABULARY).float(),
                               targets.view(-1))


def operations(shape, n_parameters):
    layers, width, heads, _, _, _ = shape
    n = 6.0 * (n_parameters - VOCABULARY * width)
    for i in range(layers):
        w = WINDOW if i % 4 != 0 and i + 1 != layers else ROW
        n += 12.0 * (w - w * (w - 1) / 2 / ROW) * width
    return n


def measure(name, all_bf16, steps):
    torch._dynamo.reset()
    shape = SHAPES[name]
    rows = shape[-1]
    model = Model(*shape[:-1]).cuda()
    if all_bf16:
        model = model.bfloat16()
    n = sum(p.numel() for p in model.parameters())
    mask = create_block_mask(
        lambda b, h, q, k: (k <= q) & (q - k < WINDOW), None, None, ROW, ROW,
        device="cuda")
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True,
                              betas=(0.9, 0.95), weight_decay=0.1)
    ids = torch.randint(VOCABULARY, (rows, ROW), device="cuda")
    targets = (ids * 5 + 1) % VOCABULARY
    compiled = torch.compile(model)

    def step():
        with torch.autocast("cuda", torch.bfloat16, enabled=not all_bf16):
            loss = compiled(ids, targets, mask)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        adamw.step()
        adamw.zero_grad(set_to_none=True)
        return loss

    begin = time.time()
    for _ in range(4):
        loss = step()
    torch.cuda.synchronize()
    compile_s = time.time() - begin
    begin = time.time()
    for _ in range(steps):
        loss = step()
    torch.cuda.synchronize()
    rate = rows * ROW * steps / (time.time() - begin)
    print(json.dumps({
        "model": name, "peer": "torch " + torch.__version__,
        "type": "all bf16" if all_bf16 else "bf16 autocast",
        "step_ms": round(rows * ROW / rate * 1e3, 2),
        "tokens_per_s": round(rate),
        "share": round(rate * operations(shape, n) / PEAK, 3),
        "compile_s": round(compile_s), "last_loss": round(loss.item(), 4)}),
        flush=True)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    steps = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    for name in SHAPES if wanted == "all" else [wanted]:
        for all_bf16 in (False, True):
            measure(name, all_bf16, steps)


if __name__ == "__main__":
    main()
