#!/usr/bin/python3
"""verify_numpy.py RUN... - compute finished runs again, from docs/MATH.md and in double precision, and compare.

Nothing here is the product's code. For every RUN, the folder of a finished training, the binary (SMELTER in the environment,
else build/smelter) writes initial values, examples and order as plain arrays (`inspect RUN --initial DIR`; docs/FILES.md
describes them), and the equations, by the numbers that they have in docs/MATH.md, are applied to them with numpy. Compared
are: initial values and order, with what the run's seeds make of them; the logloss of every line of metrics.jsonl; the
predictions of the evaluation split; the dense parameters at the end; and of a teacher its predictions of the training split.

The run computed with 32-bit floats. Its results may differ by what rounding makes of one step after another, and by no more:
TOLERANCE says how much, and why. One line is printed for each run, at the end "N passed, N failed"; the exit code is 1 where
one failed, and 2 where none did but one uses what is not covered here, which is said.
"""
import json
import math
import os
import subprocess
import sys
import tempfile
from collections import deque

import numpy as np

np.seterr(over="ignore", under="ignore")

# A 32-bit float is off by up to 6e-8 of its size, a gradient that sums some tens of products by about 1e-6 of its own. AdaGrad
# divides a gradient by its usual size, so a step adds errors of about 1e-6 learning rates to a parameter, in any direction:
# after 100 steps these, and the rounding of the parameter itself, come to 1e-6, and move a logit by as much; the mean loss of
# a batch by less, since signs differ. The least that is known to be wrong, 1e-5 in (6) as 1e-6, moves logloss by 4e-6. All of
# it holds while errors do not feed on themselves: an unstable training (a strong anti-distillation, rates that are too high)
# doubles them every few steps, and no program can follow it for long. And at the corner of a ReLU or of clipping, rounding
# may decide about a whole example; that happens to about one unit in ten million, and then shows.
TOLERANCE = {"start": 1e-6, "logloss": 1e-6, "predictions": 1e-5, "parameters": 1e-5, "taught": 1e-5}


class NotCovered(Exception):
    """The run uses what this program does not know, or what does not determine a result."""


class Different(Exception):
    """What the run left has not even the right shape."""


# ---- what the run left and started from ----------------------------------------------------------------------------------


def read_value(text):
    """A value of config.yaml: JSON, but that words have no quotes."""
    try:
        return json.loads(text)
    except ValueError:
        return [word.strip() for word in text[1:-1].split(",")] if text.startswith("[") else text


def read_config(path):
    config, section = {}, {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            key, _, text = line.strip().partition(": ")
            if line.startswith(" "):
                section[key] = read_value(text)
            elif text:
                config[key] = read_value(text)
            else:
                section = config[key.rstrip(":")] = {}
    return config


def read_floats(path):
    return np.fromfile(path, dtype="<f4").astype(float)


class Arrays:
    """A folder of raw arrays and the JSON document that describes them."""

    TYPES = {"u8": "<u1", "u64": "<u8", "i64": "<i8", "f32": "<f4"}

    def __init__(self, folder):
        self.folder = folder
        with open(f"{folder}/initial.json", encoding="utf-8") as file:
            self.document = json.load(file)

    def __getitem__(self, name):
        about = self.document["arrays"][name]
        data = np.fromfile(f"{self.folder}/{name}.{about['type']}", dtype=self.TYPES[about["type"]]).reshape(about["shape"])
        return data.astype(np.float64) if about["type"] == "f32" else data

    def __contains__(self, name):
        return name in self.document["arrays"]


# ---- activations, section 3 ------------------------------------------------------------------------------------------------


def sigma(x):
    return np.exp(-np.logaddexp(0.0, -x))


erfc = np.vectorize(math.erfc, otypes=[float])


def smelu(x, m, beta):  # (7)
    inside = np.clip(x + beta, 0.0, 2.0 * beta)
    return np.where(x >= beta, x, inside**2 / (4.0 * beta)), inside / (2.0 * beta)


def gsmelu_of(x, alpha, beta, left, right, level):  # (7a); q is of (18a)
    w = alpha + beta
    c = np.clip(x + alpha, 0.0, w)
    o = x + alpha - c
    h = (right - left) / (2.0 * w)
    return level + c * (left + h * c) + np.where(o < 0.0, left, right) * o, left + 2.0 * h * c, c, o, c / w


def gsmelu(x, m, beta):
    alpha = m["gsmelu_alpha"] or beta
    return gsmelu_of(x, alpha, beta, m["gsmelu_left"], m["gsmelu_right"], m["gsmelu_level"])[:2]


def rescu(x, m, beta):  # (7b): the slope is a broken line, f its integral
    u, knots, slopes = x / beta, np.array(m["rescu_knots"], float), np.array(m["rescu_slopes"], float)
    at_knots = np.concatenate(([0.0], np.cumsum(np.diff(knots) * (slopes[1:] + slopes[:-1]) / 2.0)))
    slope = np.interp(u, knots, slopes)
    i = np.clip(np.searchsorted(knots, u, side="right") - 1, 0, len(knots) - 1)
    return beta * (m["rescu_rise"] + at_knots[i] + (u - knots[i]) * (slopes[i] + slope) / 2.0), slope


def selu(x, m, beta):
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0.0, x, alpha * np.expm1(np.minimum(x, 0.0))), scale * np.where(
        x > 0.0, 1.0, alpha * np.exp(np.minimum(x, 0.0)))


def swish(x, m, beta):
    s = sigma(beta * x)
    return x * s, s + beta * x * s * (1.0 - s)


def gelu(x, m, beta):
    z = beta * x
    below = 0.5 * erfc(-z / math.sqrt(2.0))
    return x * below, below + z * np.exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi)


def mish(x, m, beta):
    z = beta * x
    t = np.tanh(np.logaddexp(0.0, z))
    return x * t, t + z * (1.0 - t * t) * sigma(z)


def tanhexp(x, m, beta):
    y = np.exp(np.minimum(beta * x, 5.0))
    t = np.tanh(y)
    return x * t, t + beta * x * y * (1.0 - t * t)


# x, configuration of the model, beta -> f(x), f'(x)
ACTIVATIONS = {
    "identity": lambda x, m, beta: (x, np.ones_like(x)),
    "relu": lambda x, m, beta: (np.maximum(x, 0.0), (x > 0.0).astype(float)),
    "leaky_relu": lambda x, m, beta: (np.where(x > 0.0, x, m["leak"] * x), np.where(x > 0.0, 1.0, m["leak"])),
    "elu": lambda x, m, beta: (np.where(x > 0.0, x, beta * np.expm1(np.minimum(x, 0.0))),
                               np.where(x > 0.0, 1.0, beta * np.exp(np.minimum(x, 0.0)))),
    "selu": selu,
    "celu": lambda x, m, beta: (np.where(x > 0.0, x, beta * np.expm1(np.minimum(x, 0.0) / beta)),
                                np.where(x > 0.0, 1.0, np.exp(np.minimum(x, 0.0) / beta))),
    "softplus": lambda x, m, beta: (np.logaddexp(0.0, beta * x) / beta, sigma(beta * x)),
    "swish": swish,
    "gelu": gelu,
    "gelu_swish": lambda x, m, beta: swish(x, m, math.sqrt(8.0 / math.pi) * beta),
    "mish": mish,
    "tanhexp": tanhexp,
    "smelu": smelu,
    "gsmelu": gsmelu,
    "rescu": rescu,
}


class Activation:
    """Activation and clipping behind layer l, 0 being the input. `learned` is the name of its set of gSmeLU's numbers."""

    def __init__(self, model, layer, learned=None):
        at = layer - 1
        self.m, self.learned = model, learned
        self.kind = model["layer_activation"][at] if layer and model["layer_activation"] else model["activation"]
        self.beta = float(model["layer_beta"][at] if layer and model["layer_beta"] else model["beta"])
        self.clip = model["clip"] or np.inf
        self.found = None  # the name of the numbers from which a width is found

    def of(self, a, values):
        if self.learned:
            return gsmelu_of(a, *values[self.learned])
        return ACTIVATIONS[self.kind](a, self.m, values[self.found][0, 0] if self.found else self.beta)

    def forward(self, a, values):  # (8)
        return np.clip(self.of(a, values)[0], -self.clip, self.clip)

    def backward(self, dh, a, values, gradient):  # (8), (18a)
        f, slope, *rest = self.of(a, values)
        if self.found and values[self.found][0, 1] < self.m["beta_warmup"]:
            gradient[self.found][0, 1:] = 1, a.size, a.sum(), (a * a).sum()
        d = np.where(np.abs(f) < self.clip, dh, 0.0)
        if self.learned:
            c, o, q = rest
            _, _, left, right, _ = values[self.learned]
            rise = right - left
            for n, each in enumerate((d * (left + rise * (q - q * q / 2.0)), -d * rise * q * q / 2.0,
                                      d * (c - q * c / 2.0 + np.minimum(o, 0.0)), d * (q * c / 2.0 + np.maximum(o, 0.0)), d)):
                units = gradient[self.learned].shape[1]
                gradient[self.learned][n] += each.sum(axis=0) if units > 1 else each.sum()
        return d * slope


# ---- optimizers, section 7 -------------------------------------------------------------------------------------------------


def share_of_rate(c, t, steps):  # (21a)
    rise, kind, d = c["warmup_steps"], c["schedule"], c["decay_steps"]
    start, end, factor = c["decay_from"] or rise, c["decay_until"] or steps, c["decay_factor"]
    if t < rise:
        return (t + 1) / rise
    if t <= start or kind == "constant":
        return 1.0
    if kind == "step":
        return factor**((t - start) // d)
    if kind == "inverse_sqrt":
        return math.sqrt(d / (d + t - start))
    return factor if t >= end else factor + (1.0 - factor) * (1.0 + math.cos(math.pi * (t - start) / (end - start))) / 2.0


class Optimizer:
    """Steps on a matrix of rows [rows, n]; a row is what an accumulator of adagrad_row, or a count of adam, is for."""

    def __init__(self, config, rate=None, penalised=True, clips_rows=True):
        self.c, self.kind, self.initial = config, config["optimizer"], config["initial_accumulator"]
        self.rate, self.epsilon = config["learning_rate"] if rate is None else rate, config["epsilon"]
        self.b1, self.b2, self.mu = (float(np.float32(config[key])) for key in ("beta1", "beta2", "momentum"))
        self.l1, self.ftrl_l2, self.l2, self.decay = (config[key] if penalised else 0.0
                                                      for key in ("ftrl_l1", "ftrl_l2", "l2", "weight_decay"))
        self.clip, self.scale, self.first_rate = config["clip_norm"] if clips_rows else 0.0, 1.0, self.rate

    def begin(self, t, steps, scale=1.0):
        """Before the first row of step t; scale is that of (21c)."""
        self.rate, self.scale = self.first_rate * share_of_rate(self.c, t, steps), scale

    def shaped(self, w, g):
        g = g * self.scale
        if self.clip:  # (21b)
            norm = np.sqrt((g * g).sum(axis=1, keepdims=True))
            g = g * np.where(norm > self.clip, self.clip / np.where(norm > 0.0, norm, 1.0), 1.0)
        g = g + self.l2 * w  # (21d)
        w *= max(1.0 - self.rate * self.decay, 0.0)
        return g

    def start(self, w):
        """The state, [rows] of one array."""
        if self.kind == "ftrl":  # z times the rate, and the accumulator
            q = np.full(w.shape, self.initial, float)
            return np.stack([-w * (self.c["ftrl_beta"] + np.sqrt(q)), q], axis=1)
        if self.kind == "adam":
            return np.zeros((len(w), 3, w.shape[1]))
        if self.kind == "momentum":
            return np.zeros(w.shape)
        return np.full((len(w), 1) if self.kind == "adagrad_row" else w.shape, self.initial, float)

    def step(self, w, s, g):
        g = self.shaped(w, g)
        if self.kind == "sgd":  # (22)
            w -= self.rate * g
            return
        if self.kind == "momentum":  # (22a)
            s[:] = self.mu * s + g
            w -= self.rate * (g + self.mu * s if self.c["nesterov"] else s)
            return
        if self.kind == "adam":  # (22b), t in each place of the third row
            s[:, 0] = self.b1 * s[:, 0] + (1.0 - self.b1) * g
            s[:, 1] = self.b2 * s[:, 1] + (1.0 - self.b2) * g * g
            s[:, 2] += 1.0
            m, v = s[:, 0] / (1.0 - self.b1**s[:, 2]), s[:, 1] / (1.0 - self.b2**s[:, 2])
            denominator = np.sqrt(v) + self.epsilon
            w -= np.where(denominator > 0.0, self.rate * m / np.where(denominator > 0.0, denominator, 1.0), 0.0)
            return
        if self.kind == "ftrl":  # (22c)
            before = np.sqrt(s[:, 1])
            s[:, 1] += g * g
            root = np.sqrt(s[:, 1])
            s[:, 0] += self.rate * g - (root - before) * w
            above = np.maximum(np.abs(s[:, 0]) - self.rate * self.l1, 0.0)
            w[:] = -np.sign(s[:, 0]) * above / (self.c["ftrl_beta"] + root + self.rate * self.ftrl_l2)
            return
        s += (g * g).mean(axis=1, keepdims=True) if self.kind == "adagrad_row" else g * g  # (21), (20)
        denominator = np.sqrt(s) + self.epsilon
        w -= np.where(denominator > 0.0, self.rate * g / np.where(denominator > 0.0, denominator, 1.0), 0.0)


# ---- a network, sections 2 and 6 -------------------------------------------------------------------------------------------


def norms(w, m):
    """||w||_q of the weights into each unit."""
    return (np.abs(w)**m["weight_norm_p"]).sum(axis=1, keepdims=True)**(1.0 / m["weight_norm_p"])


def project(w, m):  # (5)
    norm = norms(w, m)
    return np.where(norm > 0.0, m["weight_norm"] * w / np.where(norm > 0.0, norm, 1.0), 0.0)


class Network:
    """The sum of its parts, section 2a."""

    def __init__(self, config, document, flat, component):
        self.m, self.parts = config["model"], config["model"]["parts"]
        kinds = [field["kind"] for field in document["fields"]]
        self.numbers, self.fields = kinds.count("numeric"), len(kinds) - kinds.count("numeric")
        self.values = {}
        for b in document["blocks"]:
            self.values[b["name"]] = flat[b["first"]:b["first"] + b["rows"] * b["width"]].reshape(b["rows"], b["width"]).copy()
        self.layers = len(self.m["hidden"]) + 1
        dense, linear = config["dense"], config["linear"]
        self.optimizers = {  # of weights, and of biases and the like
            "dense": (Optimizer(dense, None, True, False), Optimizer(dense, None, dense["penalise_biases"], False)),
            "linear": (Optimizer(linear), Optimizer(linear, penalised=dense["penalise_biases"])),
        }
        self.set_optimizer = Optimizer(dense, self.m["gsmelu_learning_rate"], False, False)
        self.clip, self.seed, self.component, self.step_number = dense["clip_norm"], config["seed"], component, None
        self.state = {name: self.optimizer_of(name).start(w) for name, w in self.values.items()}
        self.sets = [name for name in self.values if name.startswith("block ")]
        self.found = [name for name in self.values if name.startswith("beta ")]
        self.activation = [self.activation_of(layer) for layer in range(self.layers)]

    def optimizer_of(self, name):
        if name.startswith("block "):
            return self.set_optimizer
        return self.optimizers["linear" if name.startswith("linear ") else "dense"][not name.endswith(" weights")]

    def forward(self, a0):
        self.a0, self.x = a0, a0[:, a0.shape[1] - self.numbers:]
        z = np.zeros(len(a0))
        if "linear" in self.parts:
            z = z + self.values["linear bias"][0, 0]  # (4a)
            if self.numbers:
                z = z + self.x @ self.values["linear weights"][0]
        if "fm" in self.parts:  # (4c)
            self.u = a0[:, :a0.shape[1] - self.numbers].reshape(len(a0), self.fields, -1)
            if self.numbers:
                self.u = np.concatenate([self.u, self.x[:, :, None] * self.values["fm vectors"]], axis=1)
            z = z + (self.u.sum(axis=1)**2 - (self.u**2).sum(axis=1)).sum(axis=1) / 2.0
        deep = a0
        if "cross" in self.parts:
            self.crossed = [a0]
            for l in range(1, self.m["cross_layers"] + 1):
                self.crossed.append(a0 * self.cross_product(l) + self.crossed[-1])  # (4e)
            if self.m["cross_form"] == "stacked":
                deep = self.crossed[-1]
            else:
                z = z + self.crossed[-1] @ self.values["cross weights"][0] + self.values["cross bias"][0, 0]  # (4f)
        if "mlp" in self.parts:
            z = z + self.mlp_forward(deep)
        return z

    def cross_weights(self, l):
        """The factors whose product is W."""
        return [self.values[f"cross {l} up"], self.values[f"cross {l} down"]] if self.m["cross_rank"] \
            else [self.values[f"cross {l} weights"]]

    def cross_product(self, l):
        return self.crossed[l - 1] @ np.linalg.multi_dot(self.cross_weights(l) + [np.eye(self.a0.shape[1])]).T \
            + self.values[f"cross {l} bias"]

    def cross_backward(self, dx, gradient):
        """By A_0, from the gradient by the last output."""
        da0 = np.zeros_like(self.a0)
        for l in range(self.m["cross_layers"], 0, -1):
            dproduct = dx * self.a0
            da0 += dx * self.cross_product(l)
            gradient[f"cross {l} bias"] += dproduct.sum(axis=0)
            dw, w = dproduct.T @ self.crossed[l - 1], self.cross_weights(l)
            if len(w) == 2:
                gradient[f"cross {l} up"] += dw @ w[1].T
                gradient[f"cross {l} down"] += w[0].T @ dw
            else:
                gradient[f"cross {l} weights"] += dw
            dx = dx + dproduct @ (w[0] @ w[1] if len(w) == 2 else w[0])
        return da0 + dx

    def backward(self, dz, dhidden):
        """Gradients by all parameters and by A_0; dhidden is what an objective adds to that by the last hidden output."""
        gradient = {name: np.zeros_like(w) for name, w in self.values.items()}
        da0 = np.zeros_like(self.a0)
        if "linear" in self.parts:  # (4b)
            gradient["linear bias"] += dz.sum()
            if self.numbers:
                gradient["linear weights"] += dz @ self.x
        if "fm" in self.parts:  # (4d)
            du = dz[:, None, None] * (self.u.sum(axis=1)[:, None, :] - self.u)
            da0[:, :da0.shape[1] - self.numbers] += du[:, :self.fields].reshape(len(dz), -1)
            if self.numbers:
                gradient["fm vectors"] += (du[:, self.fields:] * self.x[:, :, None]).sum(axis=0)
                da0[:, da0.shape[1] - self.numbers:] += (du[:, self.fields:] * self.values["fm vectors"]).sum(axis=2)
        ddeep = self.mlp_backward(dz, dhidden, gradient) if "mlp" in self.parts else np.zeros_like(da0)
        if "cross" not in self.parts:
            return gradient, da0 + ddeep
        if self.m["cross_form"] == "stacked":
            return gradient, da0 + self.cross_backward(ddeep, gradient)
        gradient["cross bias"] += dz.sum()
        gradient["cross weights"] += dz @ self.crossed[-1]
        return gradient, da0 + ddeep + self.cross_backward(dz[:, None] * self.values["cross weights"], gradient)

    def activation_of(self, layer):
        """Behind a layer; sets of learned numbers are stored for hidden layers first and the input last."""
        plain = Activation(self.m, layer)
        plain.found = f"beta of layer {layer}" if f"beta of layer {layer}" in self.values else None
        if plain.kind != "gsmelu" or self.m["gsmelu"] == "fixed":
            return plain
        before = sum(Activation(self.m, l).kind == "gsmelu" for l in range(1, layer or self.layers))
        number = 0 if self.m["gsmelu"] == "network" else before
        return Activation(self.m, layer, self.sets[number] if layer or self.m["activate_inputs"] else None)

    def weights(self, layer):
        """W~ and, where weights are trained through (5), ||w||_q."""
        w = self.values[f"layer {layer} weights"]
        if not self.m["weight_norm"] or self.m["weight_norm_mode"] != "reparametrised":
            return w, None
        return project(w, self.m), norms(w, self.m)

    def mask_of(self, layer, rows, units):  # (3a)
        drops = int(self.m["dropout"] * 65536.0 + 0.5)
        if not drops or self.step_number is None:
            return 1.0
        key = mix(mix(mix(U64(self.seed ^ 0x64726F70)) + U64(self.component)) + U64(self.step_number))
        key = mix(mix(key + np.arange(rows, dtype=U64)) + U64(layer))
        words = mix(key[:, None] + np.arange(-(-units // 4), dtype=U64))
        draws = (words[:, :, None] >> (U64(16) * np.arange(4, dtype=U64)) & U64(0xFFFF)).reshape(rows, -1)[:, :units]
        return np.where(draws < drops, 0.0, 65536.0 / (65536 - drops))

    def mlp_forward(self, a0):
        self.a, self.h, self.hat, self.r, self.mask = [a0], [a0], [None], [None], [None]
        if self.m["activate_inputs"]:
            self.h[0] = self.activation[0].forward(a0, self.values)  # (1)
        for l in range(1, self.layers + 1):
            a = self.h[l - 1] @ self.weights(l)[0].T + self.values[f"layer {l} bias"]  # (2)
            if l == self.layers:
                return a[:, 0]
            hat = r = None
            if self.m["layer_norm"] != "none":  # (6)
                r = 1.0 / np.sqrt(a.var(axis=1, keepdims=True) + 1e-5)
                a = hat = (a - a.mean(axis=1, keepdims=True)) * r
            if self.m["layer_norm"] == "affine":
                a = self.values[f"layer {l} gain"] * hat + self.values[f"layer {l} shift"]
            self.a.append(a)
            self.hat.append(hat)
            self.r.append(r)
            self.mask.append(self.mask_of(l - 1, *a.shape))
            self.h.append(self.activation[l].forward(a, self.values) * self.mask[l])  # (3), (3a)

    def mlp_backward(self, dz, dhidden, gradient):
        da = dz[:, None]
        for l in range(self.layers, 0, -1):
            used, norm = self.weights(l)
            if l < self.layers:
                da = self.activation[l].backward(dh * self.mask[l], self.a[l], self.values, gradient)  # (15)
                if self.m["layer_norm"] == "affine":  # (18)
                    gradient[f"layer {l} gain"] += (da * self.hat[l]).sum(axis=0)
                    gradient[f"layer {l} shift"] += da.sum(axis=0)
                    da = da * self.values[f"layer {l} gain"]
                if self.m["layer_norm"] != "none":
                    hat = self.hat[l]
                    da = self.r[l] * (da - da.mean(axis=1, keepdims=True) - hat * (da * hat).mean(axis=1, keepdims=True))
            dw = da.T @ self.h[l - 1]  # (16)
            if norm is not None:  # (19)
                w, some = self.values[f"layer {l} weights"], norm > 0.0
                v, q, norm = self.m["weight_norm"], self.m["weight_norm_p"], np.where(some, norm, 1.0)
                u = np.sign(w) * (np.abs(w) / norm)**(q - 1.0)
                dw = np.where(some, v / norm * (dw - u * (dw * w).sum(axis=1, keepdims=True) / norm), 0.0)
            gradient[f"layer {l} weights"] += dw
            gradient[f"layer {l} bias"] += da.sum(axis=0)
            dh = da @ used  # (17)
            if l == self.layers and dhidden is not None:
                dh = dh + dhidden
        if self.m["activate_inputs"]:
            dh = self.activation[0].backward(dh, self.a[0], self.values, gradient)
        return dh

    def begin(self, t, steps, gradient):
        norm = math.sqrt(sum((g * g).sum() for name, g in gradient.items() if name not in self.found))
        scale = self.clip / norm if self.clip and norm > self.clip else 1.0  # (21c)
        for optimizer in [self.set_optimizer, *self.optimizers["dense"], *self.optimizers["linear"]]:
            optimizer.begin(t, steps, scale)

    def step(self, gradient):
        for name, w in self.values.items():
            if name in self.found:
                self.find(w[0], gradient[name][0], Activation(self.m, int(name.split()[-1])).kind)
                continue
            self.optimizer_of(name).step(w, self.state[name], gradient[name])
        for name in self.sets:  # (7c)
            s = self.values[name]
            s[:2], s[4], s[2:4] = np.maximum(s[:2], 1e-6), np.minimum(s[4], 0.0), np.clip(s[2:4], -100.0, 100.0)
            middle, flat = (s[2] + s[3]) / 2.0, s[3] - s[2] < 1e-3
            s[2], s[3] = np.where(flat, middle - 5e-4, s[2]), np.where(flat, middle + 5e-4, s[3])
        if self.m["weight_norm"] and self.m["weight_norm_mode"] == "projected":
            for l in range(1, self.layers + 1):
                w = self.values[f"layer {l} weights"]
                w[:] = project(w, self.m)

    def find(self, number, seen, kind):  # (8b): beta, steps, how many, then sum and sum of squares, at the end mean and spread
        number += seen
        if seen[1] and number[1] == self.m["beta_warmup"]:
            number[3:] /= number[2]
            number[4] = np.sqrt(number[4] - number[3]**2)
            width = self.m["beta_spread"] * number[4]
            number[0] = 1.0 / width if kind in ("softplus", "swish", "gelu", "gelu_swish", "mish", "tanhexp") else width

    def copy_values(self):
        return {name: w.copy() for name, w in self.values.items()}


# ---- embeddings, section 5 -------------------------------------------------------------------------------------------------


def crossed(single, field):
    """Keys of a cross, (13a)."""
    key = mix(single[:, field["of"][0]])
    for part in field["of"][1:]:
        key = mix(key + single[:, part])
    if not field["buckets"]:
        return key
    return np.array([int(k) * field["buckets"] >> 64 for k in key], dtype=U64)


class Examples:
    """A split: for every field the rows of its table that an example uses, with their scales s_i of (13)."""

    def __init__(self, arrays, split):
        kinds = [field["kind"] for field in arrays.document["fields"]]
        embedded = [field for field in arrays.document["fields"] if field["kind"] != "numeric"]
        table = [field["table"] for field in embedded]
        self.y = arrays[f"{split}-label"].astype(float)
        self.numeric = arrays[f"{split}-numeric"] if "numeric" in kinds else np.zeros((len(self.y), 0))
        self.uses = []  # per field: first use of each example and the end, rows, scales
        for f, field in enumerate(embedded[:len(kinds) - kinds.count("numeric") - kinds.count("multi")]):
            single = arrays[f"{split}-single"]
            keys = crossed(single, field) if field["kind"] == "cross" else single[:, f]
            rows = np.searchsorted(arrays[f"keys-{table[f]}"], keys)
            self.uses.append((np.arange(len(self.y) + 1), rows, np.ones(len(rows))))
        pooling = [field["pooling"] for field in arrays.document["fields"] if field["kind"] == "multi"]
        for m, kind in enumerate(pooling):
            first, weight = arrays[f"{split}-multi-{m}-first"], arrays[f"{split}-multi-{m}-weight"]
            rows = np.searchsorted(arrays[f"keys-{table[len(self.uses)]}"], arrays[f"{split}-multi-{m}-key"])
            count = np.diff(first)
            self.uses.append((first, rows, weight / np.repeat(count, count) if kind == "mean" else weight))

    def batch(self, index):
        """y, numbers, and for every field (example within the batch, row, scale) of each use."""
        uses = []
        for first, rows, scales in self.uses:
            count = first[index + 1] - first[index]
            at = np.repeat(first[index] - np.concatenate(([0], np.cumsum(count)[:-1])), count) + np.arange(count.sum())
            uses.append((np.repeat(np.arange(len(index)), count), rows[at], scales[at]))
        return self.y[index], self.numeric[index], uses


class Tables:
    """The embedding tables of one component, or the set that all share; first-order weights are the last of their rows."""

    def __init__(self, config, arrays, number):
        self.linear = int("linear" in config["model"]["parts"])
        self.optimizer, self.linear_optimizer = Optimizer(config["embedding"]), Optimizer(config["linear"])
        self.rows, self.pending = [], deque()
        self.table = [field["table"] for field in arrays.document["fields"] if field["kind"] != "numeric"]
        while f"rows-{number}-{len(self.rows)}" in arrays:
            self.rows.append(arrays[f"rows-{number}-{len(self.rows)}"])
        self.state = [[o.start(w) for o, w in self.segments(w)] for w in self.rows]

    def segments(self, w):
        """The parts of a row that have optimizers of their own, which may be empty."""
        dim = w.shape[1] - self.linear
        return (self.optimizer, w[:, :dim]), (self.linear_optimizer, w[:, dim:])

    def gather(self, n, numeric, uses):  # (13); fields side by side, then numbers; and the sum of (4a)
        columns, wide = [], np.zeros(n)
        for table, (example, row, scale) in zip(self.table, uses):
            w = self.rows[table]
            a = np.zeros((n, w.shape[1]))
            np.add.at(a, example, scale[:, None] * w[row])
            columns.append(a[:, :a.shape[1] - self.linear])
            wide += a[:, a.shape[1] - self.linear:].sum(axis=1)
        return np.concatenate(columns + [numeric], axis=1), wide

    def push(self, t, da0, dz, uses):  # (14), (4b)
        gradients, column = [], 0
        for number, w in enumerate(self.rows):
            distinct = np.unique(np.concatenate([row for table, (_, row, _) in zip(self.table, uses) if table == number]))
            gradients.append((distinct, np.zeros((len(distinct), w.shape[1]))))
        for table, (example, row, scale) in zip(self.table, uses):
            distinct, g = gradients[table]
            dim, at = g.shape[1] - self.linear, np.searchsorted(distinct, row)
            np.add.at(g[:, :dim], at, scale[:, None] * da0[example, column:column + dim])
            np.add.at(g[:, dim:], at, (scale * dz[example])[:, None])
            column += dim
        self.pending.append((t, gradients))

    def apply(self, depth, steps):
        """All pushes but those of the last `depth` steps, (28)."""
        while len(self.pending) > depth:
            t, gradients = self.pending.popleft()
            self.optimizer.begin(t, steps)
            self.linear_optimizer.begin(t, steps)
            for w, s, (rows, g) in zip(self.rows, self.state, gradients):
                for (optimizer, part), state, (_, part_g) in zip(self.segments(w), s, self.segments(g)):
                    some_w, some_s = part[rows], state[rows]
                    if part_g.shape[1]:
                        optimizer.step(some_w, some_s, part_g)
                    part[rows], state[rows] = some_w, some_s


# ---- order and initial values, section 8 ----------------------------------------------------------------------------------

U64 = np.uint64
LOW = U64(0xFFFFFFFF)


def mix(x):
    """The finaliser of SplitMix64."""
    x = np.asarray(x, U64) + U64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> U64(30))) * U64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> U64(27))) * U64(0x94D049BB133111EB)
    return x ^ (x >> U64(31))


def philox(seed, stream, block):
    """Four words of 32 bits for every block: Philox 4x32-10 with its published constants."""
    block, stream = np.broadcast_arrays(np.asarray(block, U64), np.asarray(stream, U64))
    c = [block & LOW, block >> U64(32), stream & LOW, stream >> U64(32)]
    k = [U64(seed & 0xFFFFFFFF), U64(seed >> 32)]
    for _ in range(10):
        p0, p1 = U64(0xD2511F53) * c[0], U64(0xCD9E8D57) * c[2]
        c = [(p1 >> U64(32)) ^ c[1] ^ k[0], p1 & LOW, (p0 >> U64(32)) ^ c[3] ^ k[1], p0 & LOW]
        k = [(k[0] + U64(0x9E3779B9)) & LOW, (k[1] + U64(0xBB67AE85)) & LOW]
    return np.stack(c, axis=-1)


def normals(seed, stream, first, n):
    """Normal variates first .. first + n - 1 of each stream, [streams, n]: AS 241, PPND7."""
    blocks = U64(first // 4) + np.arange((n + 3) // 4, dtype=U64)
    words = philox(seed, np.asarray(stream, U64)[:, None], blocks).reshape(len(stream), -1)[:, :n]
    p = (words.astype(float) + 0.5) / 2.0**32
    q = p - 0.5
    r = 0.180625 - q * q
    middle = q * np.polyval([59.10937472, 159.29113202, 50.434271938, 3.3871327179], r) / np.polyval(
        [67.187563600, 78.757757664, 17.895169469, 1.0], r)
    r = np.sqrt(-np.log(np.minimum(p, 1.0 - p))) - 1.6  # below 5 - 1.6, the end of its second piece, for words of 32 bits
    outer = np.polyval([0.17023821103, 1.3067284816, 2.7568153900, 1.4234372777], r) / np.polyval(
        [0.12021132975, 0.73700164250, 1.0], r)
    return np.where(np.abs(q) <= 0.425, middle, np.sign(q) * outer)


def xxh3_of_pair(a, b, seed):
    """XXH3-64 of two 32-bit numbers."""
    everything = 0xFFFFFFFFFFFFFFFF
    seed ^= int.from_bytes((seed & 0xFFFFFFFF).to_bytes(4, "little"), "big") << 32
    h = ((a << 32) + b) ^ (((0x1CAD21F72C81017C ^ 0xDB979083E96DD4DE) - seed) & everything)
    h ^= (h << 49 | h >> 15) & everything ^ (h << 24 | h >> 40) & everything
    h = h * 0x9FB21C651E98DF25 & everything
    h ^= (h >> 35) + 8
    h = h * 0x9FB21C651E98DF25 & everything
    return h ^ h >> 28


def permuted(key, n, i):
    """P_key of a window of n examples, (23): six Feistel rounds on the next power of four, again where that leaves [0, n)."""
    bits = next(b for b in range(1, 33) if 4**b >= n)
    half, mask = U64(bits), U64(2**bits - 1)
    i, outside = i.astype(U64), np.ones(len(i), bool)
    while outside.any():
        left, right = i[outside] >> half, i[outside] & mask
        for rounds in range(6):
            left, right = right, left ^ (mix(right ^ mix(key + U64(rounds))) & mask)
        i[outside] = left << half | right
        outside = i >= U64(n)
    return i.astype(np.int64)


def order_of(c, rows, groups, total):
    """The example of each position of each group, (23) and (23a)."""
    rows //= groups
    result = np.empty(total, np.int64)
    for first in range(0, total, rows):
        at = np.arange(min(rows, total - first))
        window = {"chronological": 1, "window": c["data"]["window"], "full": rows}[c["data"]["order"]]
        for start in range(0, len(at), window) if c["data"]["order"] != "chronological" else ():
            words = philox(c["data"]["order_seed"], first // rows, start // window)
            key, size = words[0] << U64(32) | words[1], min(window, rows - start)
            some = at[start:start + size] - start
            at[start:start + size] = start + permuted(key, size, some)
        result[first:first + len(at)] = at
    return np.stack([groups * result + g for g in range(groups)])


def start_of(training, c, arrays):
    """Initial values as seeds make them, (26) and (27), and as they were exported."""
    ours, theirs, seed, fields = [], [], c["seed"], 0
    row_seed = int(mix(U64(seed ^ 0x726F7773)))
    while f"keys-{fields}" in arrays:
        fields += 1
    for s, tables in enumerate(training.tables):
        for f, rows in enumerate(tables.rows):
            theirs.append(rows)
            drawn = normals(row_seed, arrays[f"keys-{f}"], (s * fields + f) * 2**32, rows.shape[1] - tables.linear)
            drawn = np.concatenate([c["embedding"]["init_std"] * drawn, np.zeros((len(rows), tables.linear))], axis=1)
            ours.append(drawn)
    for k, network in enumerate(training.networks):
        for name, w in network.values.items():
            theirs.append(w)
            if name.startswith("layer ") and name.endswith("weights"):
                stream = xxh3_of_pair(k, int(name.split()[1]) - 1, 0x64656E7365)
                drawn = normals(seed, [stream], 0, w.size).reshape(w.shape)
                ours.append(math.sqrt(c["model"]["init_gain"] / w.shape[1]) * drawn)
                if c["model"]["weight_norm"] and c["model"]["weight_norm_mode"] == "projected":
                    ours[-1] = project(ours[-1], c["model"])
            elif name == "fm vectors":
                drawn = normals(seed, [xxh3_of_pair(k, 0, 0x666D)], 0, w.size).reshape(w.shape)
                ours.append(c["embedding"]["init_std"] * drawn)
            elif name.startswith("cross ") and not name.endswith("bias"):
                m, words = c["model"], name.split()
                block = 2 * m["cross_layers"] if words[1] == "weights" else 2 * int(words[1]) - 2 + (words[-1] == "up")
                drawn = normals(seed, [xxh3_of_pair(k, block, 0x63726F7373)], 0, w.size).reshape(w.shape)
                ours.append(math.sqrt(1.0 / w.shape[1]) * drawn)
            elif name in network.found:
                ours.append(np.array([c["model"]["beta"]] + [0.0] * 4))
            elif name in network.sets:
                m = c["model"]
                start = [m["gsmelu_alpha"] or m["beta"], m["beta"], m["gsmelu_left"], m["gsmelu_right"], m["gsmelu_level"]]
                ours.append(np.repeat(np.array(start, float)[:, None], w.shape[1], axis=1))
            else:
                ours.append(np.full(w.shape, float(name.endswith("gain"))))
    return np.concatenate([w.ravel() for w in ours]), np.concatenate([w.ravel() for w in theirs])


# ---- a training, section 4 and (23) to (28) --------------------------------------------------------------------------------


def share(schedule, t, steps):
    """lambda(t) / weight of (12a)."""
    at = t / steps
    if at < schedule["burn_in"] or (schedule["until"] < 1.0 and at >= schedule["until"]):
        return 0.0
    return min((at - schedule["burn_in"]) / schedule["ramp"], 1.0) if schedule["ramp"] else 1.0


class Training:
    def __init__(self, run, arrays):
        self.c = c = read_config(f"{run}/config.yaml")
        if c["determinism"] not in ("sync", "invariant"):
            raise NotCovered(f"determinism {c['determinism']}, where the order of arrival decides")
        for section, key in ("train", "noise_seed"), ("embedding", "min_count"), ("embedding", "ttl_steps"):
            if c[section][key]:
                raise NotCovered(f"{section}.{key}")
        if c["teacher"].get("run"):
            raise NotCovered("teacher.run")
        self.K = c["model"]["components"]
        self.train, self.eval = Examples(arrays, "train"), Examples(arrays, "eval")
        self.networks = [Network(c, arrays.document, arrays[f"network-{k}"], k) for k in range(self.K)]
        self.tables = [Tables(c, arrays, s) for s in range(1 if c["model"]["share_embeddings"] else self.K)]
        self.dense = [None] * self.K  # gradients of the step
        self.order = arrays["order"]
        self.B, self.G = c["train"]["batch"], c["train"]["lanes"]
        self.steps = -(-self.order.shape[1] // self.B)
        objective = c["objective"]
        codistilled = objective["kind"] == "codistill"
        self.peers = objective["peers"] if codistilled and objective["peers"] != "auto" else self.K
        self.members = self.K // self.peers
        deploy = c["model"]["deploy"]
        peer = 0 if codistilled and deploy == "auto" else None if deploy in ("auto", "mean") else int(deploy)
        self.deployed = range(self.K) if peer is None else range(peer * self.members, (peer + 1) * self.members)
        self.teacher = None
        if c["teacher"]["variant"]:
            replica = os.path.basename(os.path.abspath(run)) if c["teacher"]["replica"] == "same" else "r0"
            kept = "progressive.f32" if c["teacher"].get("predictions") == "progressive" else "teacher.f32"
            taught = f"{run}/../../{c['teacher']['variant']}/{replica}/{kept}"
            if not os.path.exists(taught):
                raise NotCovered(f"a student whose teacher's predictions are not in {taught}")
            self.teacher = read_floats(taught)

    def predict(self, examples, index):
        y, numeric, uses = examples.batch(index)
        return self.combine({k: self.forward(k, len(y), numeric, uses) for k in self.deployed})

    def forward(self, k, n, numeric, uses):
        a0, wide = self.tables[k % len(self.tables)].gather(n, numeric, uses)
        return self.networks[k].forward(a0) + wide

    def combine(self, z):  # (11), (12)
        if self.c["model"]["combine"] == "logit":
            return sigma(np.mean([z[k] for k in self.deployed], axis=0))
        return np.mean([sigma(z[k]) for k in self.deployed], axis=0)

    def step(self, t, group, own):
        """One step of the components `own`; their predictions."""
        index = self.order[group, t * self.B:(t + 1) * self.B]
        y, numeric, uses = self.train.batch(index)
        n, q = len(y), None if self.teacher is None else self.teacher[index]
        for k in own:
            self.networks[k].step_number = t
        z = {k: self.forward(k, n, numeric, uses) for k in range(self.K)}
        for k in own:
            self.networks[k].step_number = None
        divisor = n if self.c["train"]["last_batch"] == "own" else self.B  # (10a), (10b)
        dz, dhidden = self.gradients(t, y, z, q, divisor)
        shared = len(self.tables) < self.K
        da0 = {}
        for k in own:
            self.dense[k], da0[k] = self.networks[k].backward(dz[k], dhidden.get(k))
        for s in [0] if shared else own:
            self.tables[s].push(t, sum(da0.values()) if shared else da0[s], sum(dz.values()) if shared else dz[s], uses)
        return self.combine(z), y

    def gradients(self, t, y, z, q, divisor):
        p = {k: sigma(z[k]) for k in z}
        dz, dhidden = {k: (p[k] - y) / divisor for k in z}, {}  # (10)
        if q is not None:  # (12g)
            teacher = self.c["teacher"]
            on = share(teacher, t, self.steps)
            label = 1.0 + (teacher["label_weight"] - 1.0) * on
            none = np.isnan(q)  # the teacher never visited these
            label, pull = np.where(none, 1.0, label), np.where(none, 0.0, teacher["weight"] * on)
            dz = {k: (label * (p[k] - y) + pull * (p[k] - np.where(none, 0.0, q))) / divisor for k in z}
        objective = self.c["objective"]
        weight = objective["weight"] * share(objective, t, self.steps)
        if objective["kind"] == "codistill":
            for k in z:  # (12b), (12c)
                of = z if objective["loss"] == "logit" else p
                others = [of[j] for j in z if j // self.members != k // self.members]
                dz[k] = dz[k] + weight * (of[k] - np.mean(others, axis=0)) / divisor
        elif objective["kind"] == "antidistill":
            hidden = objective["decorrelate"] == "hidden"
            h = {k: self.networks[k].h[-1] if hidden else z[k][:, None] for k in z}
            extra = {k: np.zeros_like(h[k]) for k in z}
            size = self.B // self.G
            for first in range(0, len(y), size):
                self.antidistill(h, extra, slice(first, min(first + size, len(y))), size, weight / divisor)
            if hidden:
                dhidden = extra
            else:
                dz = {k: dz[k] + extra[k][:, 0] for k in z}
        return dz, dhidden

    def antidistill(self, h, extra, lane, size, scale):
        """The extra gradient over one lane, (12d) to (12f)."""
        n, w = lane.stop - lane.start, h[0].shape[1]
        correlation = self.c["objective"]["statistic"] == "correlation"
        if n < size and n < (3 if correlation else 2) and self.c["train"]["last_batch"] != "own":
            return
        x, s = {}, {}
        for k in h:
            x[k] = h[k][lane] - h[k][lane].mean(axis=0)
            s[k] = np.sqrt((x[k]**2).mean(axis=0) + 1e-6) if correlation else np.ones(w)
            x[k] = x[k] / s[k]
        for k in h:
            d = np.zeros((n, w))
            for j in h:
                if j != k:
                    C = x[k].T @ x[j] / n
                    d += x[j] @ C.T - (x[k] * (C**2).sum(axis=1) if correlation else 0.0)
            extra[k][lane] = scale * 4.0 / (self.K * (self.K - 1) * w * w) * d / s[k]

    def run(self):
        """Train; yields the likelihoods of the labels of every step's examples, as the reporting peer predicts them."""
        groups = len(self.order)
        depth, exchange = self.c["train"]["pipeline_depth"], self.c["objective"]["exchange_steps"]
        per_group = self.K // groups
        for t in range(self.steps):
            for tables in self.tables:
                tables.apply(depth, self.steps)
            if groups > 1 and t % exchange == 0:  # (12h)
                stale = [network.copy_values() for network in self.networks]
            for g in range(groups):
                own = range(g * per_group, (g + 1) * per_group)
                fresh = [network.values for network in self.networks]
                for k in range(self.K):
                    if groups > 1 and k not in own:
                        self.networks[k].values = stale[k]
                p, y = self.step(t, g, own)
                for network, values in zip(self.networks, fresh):
                    network.values = values
                if self.deployed[0] in own:
                    yield np.where(y > 0.5, p, 1.0 - p)
            for k in range(self.K):
                self.networks[k].begin(t, self.steps, self.dense[k])
                self.networks[k].step(self.dense[k])
        for tables in self.tables:
            tables.apply(0, self.steps)

    def predict_all(self, examples):
        return np.concatenate([self.predict(examples, np.arange(first, min(first + 4096, len(examples.y))))
                               for first in range(0, len(examples.y), 4096)])


# ---- the comparison --------------------------------------------------------------------------------------------------------


def farthest(name, ours, theirs):
    if ours.shape != theirs.shape:
        raise Different(f"{name}: {theirs.size} numbers, {ours.size} expected")
    return float(np.abs(ours - theirs).max()) if ours.size else 0.0


def compare(run, arrays):
    """Steps, and how far the run is from what it should be, by what is compared."""
    training = Training(run, arrays)
    if not np.array_equal(training.order, order_of(training.c, len(training.train.y), *training.order.shape)):
        raise Different("the examples are not visited in the order of (23)")
    far = {"start": farthest("start", *start_of(training, training.c, arrays))}
    likelihoods = np.concatenate(list(training.run()))
    with open(f"{run}/metrics.jsonl", encoding="utf-8") as lines:
        curve = [line for line in map(json.loads, lines) if "logloss" in line]
    if not curve or curve[-1]["examples"] != len(likelihoods):
        raise Different(f"metrics.jsonl is not of {len(likelihoods)} examples")
    losses = -np.log(np.clip(likelihoods, 1e-7, 1.0 - 1e-7))  # (29)
    means = np.array([losses[line["examples"] - line["interval_examples"]:line["examples"]].mean() for line in curve])
    theirs = np.array([line["logloss"] for line in curve])
    far["logloss"] = farthest("logloss", means, theirs)
    parted = [line["step"] for line, apart in zip(curve, np.abs(means - theirs)) if not apart <= TOLERANCE["logloss"]]
    far["predictions"] = farthest("predictions", training.predict_all(training.eval), read_floats(f"{run}/predictions.f32"))
    ours = [np.concatenate([w.ravel() for w in network.values.values()]) for network in training.networks]
    theirs = [read_floats(f"{run}/dense-{k}.f32")[:len(w)] for k, w in enumerate(ours)]  # the optimizer's state follows
    far["parameters"] = farthest("parameters", np.concatenate(ours), np.concatenate(theirs))
    if os.path.exists(f"{run}/teacher.f32"):
        far["taught"] = farthest("teacher.f32", training.predict_all(training.train), read_floats(f"{run}/teacher.f32"))
    return training.steps, far, f", parted by step {parted[0]}" if parted else ""


def verify(smelter, run):
    """One line about a run; did it pass? None where it is not covered."""
    name = "/".join(run.rstrip("/").split("/")[-2:])
    with tempfile.TemporaryDirectory() as folder:
        inspect = [smelter, "inspect", run, "--initial", f"{folder}/initial"]
        if subprocess.run(inspect, stdout=subprocess.DEVNULL, check=False).returncode:
            print(f"FAIL  {name}: smelter inspect fails")
            return False
        try:
            steps, far, parted = compare(run, Arrays(f"{folder}/initial"))
        except NotCovered as what:
            print(f"not covered  {name}: {what}")
            return None
        except Different as what:
            print(f"FAIL  {name}: {what}")
            return False
    bad = {what for what in far if not far[what] <= TOLERANCE[what]}  # also where it is not a number
    told = [f"{what} {far[what]:.1e}" + (f" (allowed: {TOLERANCE[what]:.0e})" if what in bad else "") for what in far]
    print(f"{'FAIL' if bad else 'ok'}  {name}: {steps} steps{parted}, farthest: {', '.join(told)}")
    return not bad


def main():
    if len(sys.argv) < 2:
        print(__doc__.splitlines()[0], file=sys.stderr)
        sys.exit(2)
    smelter = os.environ.get("SMELTER", os.path.join(os.path.dirname(__file__), "..", "build", "smelter"))
    results = [verify(smelter, run) for run in sys.argv[1:]]
    failed, unknown = results.count(False), results.count(None)
    print(f"{results.count(True)} passed, {failed} failed" + (f", {unknown} not covered" if unknown else ""))
    sys.exit(1 if failed else 2 if unknown else 0)


main()
