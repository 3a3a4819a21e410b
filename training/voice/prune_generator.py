"""A smaller waveform generator out of the teacher's: channels are chosen, and the convolutions that change are fitted anew by least squares.

Both have the same structure (networks/istft_generator.py), with frozen norms. At each level the student keeps the channels that are read most, in the stream
that the residual blocks add to, and as many of those inside each pair of convolutions. Then, in the order in which they run, its convolutions are fitted to what the
teacher's give at these channels, from the student's own input, so that each makes up for what those before it lost. It takes no gradient: half a minute of speech
is enough, and the waveform correlates with the teacher's by 0.8 before any training.

A voice of the student is a one-hot style: the columns of `fc` are the voices' gains and shifts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..export.istft_generator import FrozenVoice
from ..networks.istft_generator import AdaIn, IstftGenerator, IstftGeneratorConfig, ResBlock
from .generator_examples import Windows, set_voices

RIDGE = 1e-5  # of the mean of the normal equations' diagonal
CHUNK = 8  # windows whose columns are in memory at once
READ_BY_SOURCE, READ_BY_NEXT = 0.15, 6.0  # weights of the noise block's and the next level's reading, where a residual block's convolution has 1


def solve(gram: torch.Tensor, cross: torch.Tensor) -> torch.Tensor:
    gram.diagonal().add_(RIDGE * gram.diagonal().mean())
    return torch.linalg.solve(gram, cross).float()


def normal_equations(shifted: list[torch.Tensor], targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs [N, C, T], one a tap, and targets [N, D, T] -> Gram matrix of the taps' channels [taps C + 1, taps C + 1], the last row for the bias, and [taps C + 1, D]."""
    gram, cross = 0, 0
    for start in range(0, len(targets), CHUNK):
        flat = [x[start : start + CHUNK].transpose(0, 1).flatten(1) for x in (*shifted, targets)]
        columns = torch.cat([*flat[:-1], flat[0].new_ones(1, flat[0].shape[1])])
        gram, cross = gram + (columns @ columns.T).double(), cross + (columns @ flat[-1].T).double()
    return gram, cross


def fit(conv: nn.Conv1d, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Sets a convolution by least squares, inputs [N, C, T] -> targets [N, D, T]; returns its output."""
    kernel, dilation, length = conv.kernel_size[0], conv.dilation[0], targets.shape[2]
    padded = F.pad(inputs, (conv.padding[0], conv.padding[0]))
    solved = solve(*normal_equations([padded[:, :, i * dilation : i * dilation + length] for i in range(kernel)], targets))
    conv.weight.copy_(solved[:-1].T.reshape(-1, kernel, inputs.shape[1]).transpose(1, 2))
    conv.bias.copy_(solved[-1])
    return conv(inputs)


def fit_transposed(conv: nn.ConvTranspose1d, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """The same for an up-sampling, with its bias as it is: each phase of its output is a convolution of few taps."""
    rate, channels, length = conv.stride[0], inputs.shape[1], inputs.shape[2]
    taps = conv.kernel_size[0] // rate
    padded = F.pad(inputs, (taps, taps))
    weight = torch.zeros_like(conv.weight)  # [C, D, kernel]
    for phase in range(rate):
        ahead, first = divmod(phase + conv.padding[0], rate)
        shifted = [padded[:, :, taps + ahead - i : taps + ahead - i + length] for i in range(taps)]
        gram, cross = normal_equations(shifted, targets[:, :, phase::rate] - conv.bias[:, None])
        solved = solve(gram[:-1, :-1], cross[:-1])
        for i in range(taps):
            weight[:, :, first + rate * i] = solved[i * channels : (i + 1) * channels]
    conv.weight.copy_(weight)
    return conv(inputs)


def unexplained(found: torch.Tensor, wanted: torch.Tensor) -> float:
    """The share of the variance that is missed."""
    return float((found - wanted).square().sum() / (wanted - wanted.mean((0, 2), keepdim=True)).square().sum())


def most(score: torch.Tensor, count: int) -> torch.Tensor:
    return score.topk(count).indices.sort().values


def reading(weight: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    """How much a convolution [D, C, kernel] takes from each channel of its inputs: the shares of its output's variance, as if they were independent [C]."""
    score = inputs.var((0, 2)) * weight.square().sum((0, 2))
    return score / score.sum()


@dataclass
class Pair:
    """What a pair of convolutions of the teacher's residual block does: [N, C, T] each."""

    read: torch.Tensor  # [C] `reading` of the first
    inner: torch.Tensor  # output of the first
    inner_read: torch.Tensor  # [C] `reading` of the second
    stream: torch.Tensor  # the stream after the pair


def run_pairs(block: ResBlock, x: torch.Tensor, style: torch.Tensor) -> list[Pair]:
    pairs = []
    for conv1, conv2, norm1, norm2, snake1, snake2 in zip(block.conv1, block.conv2, block.norm1, block.norm2, block.snake1, block.snake2):
        first = snake1(norm1(x, style))
        inner = conv1(first)
        second = snake2(norm2(inner, style))
        x = x + conv2(second)
        pairs.append(Pair(reading(conv1.weight, first), inner, reading(conv2.weight, second), x))
    return pairs


class Pruning:
    """Makes a student of `config` (style_size is the number of voices), level by level, on windows of every voice."""

    def __init__(self, teacher: IstftGenerator, constants: list[FrozenVoice], config: IstftGeneratorConfig, windows: Windows):
        self.teacher, self.constants, self.windows = teacher, constants, windows
        self.student = IstftGenerator(config).eval()
        self.chosen: dict[AdaIn, list[tuple[torch.Tensor, torch.Tensor]]] = {}  # the voices' statistics of a student's norm
        self.numbers = {norm: i for i, norm in enumerate(teacher.norms())}
        self.one_hot = torch.eye(len(constants))

    @torch.no_grad()
    def run(self) -> tuple[IstftGenerator, list[FrozenVoice]]:
        style = set_voices(self.teacher, self.constants, self.windows.voices)
        self.student.source.load_state_dict(self.teacher.source.state_dict())
        theirs = ours = self.windows.features
        for i in range(len(self.teacher.up)):
            theirs, ours = self.level(i, theirs, ours, style)
        wanted = self.teacher.post(F.leaky_relu(theirs))
        print(f"spectra: {unexplained(fit(self.student.post, F.leaky_relu(ours), wanted), wanted):.4f} of the variance is missed", flush=True)
        voices = range(len(self.constants))
        return self.student, [FrozenVoice(self.one_hot[v], [self.chosen[norm][v] for norm in self.student.norms()]) for v in voices]

    def level(self, i: int, theirs: torch.Tensor, ours: torch.Tensor, style: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The inputs of a level, of the teacher and of the student -> their outputs."""
        teacher, student, source = self.teacher, self.student, self.windows.source
        count, last = len(teacher.config.resblock_kernels), i == len(teacher.up) - 1
        lengthened = lambda x: F.pad(x, (1, 0), mode="reflect") if last else x  # noqa: E731
        up = teacher.up[i](F.leaky_relu(theirs, 0.1))
        noise = run_pairs(teacher.noise_res[i], teacher.noise_conv[i](source), style)
        joint = lengthened(up) + noise[-1].stream
        blocks = teacher.res[i * count : (i + 1) * count]
        pairs = [run_pairs(block, joint, style) for block in blocks]
        mean = sum(block[-1].stream for block in pairs) / count

        score = READ_BY_SOURCE * sum(pair.read for pair in noise) + sum(pair.read for block in pairs for pair in block)
        if last:
            score += READ_BY_NEXT * reading(teacher.post.weight, F.leaky_relu(mean))
        else:
            score += READ_BY_NEXT * reading(teacher.up[i + 1].weight.transpose(0, 1), F.leaky_relu(mean, 0.1))
        kept = most(score, student.config.channels[i])

        student.noise_conv[i].weight.copy_(teacher.noise_conv[i].weight[kept])
        student.noise_conv[i].bias.copy_(teacher.noise_conv[i].bias[kept])
        student.up[i].bias.copy_(teacher.up[i].bias[kept])
        if i == 0:  # reads the features, as the teacher's does
            student.up[i].weight.copy_(teacher.up[i].weight[:, kept])
            x = student.up[i](F.leaky_relu(ours, 0.1))
        else:
            x = fit_transposed(student.up[i], F.leaky_relu(ours, 0.1), up[:, kept])
        x = lengthened(x) + self.block(teacher.noise_res[i], student.noise_res[i], noise, kept, student.noise_conv[i](source))
        ours = sum(self.block(*parts, kept, x) for parts in zip(blocks, student.res[i * count : (i + 1) * count], pairs)) / count
        print(f"level {i}: {unexplained(x, joint[:, kept]):.4f} of the variance is missed before the residual blocks, {unexplained(ours, mean[:, kept]):.4f} after", flush=True)
        return mean, ours

    def block(self, theirs: ResBlock, ours: ResBlock, pairs: list[Pair], kept: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Fits a block of the student, or copies it where it has the teacher's size; returns its output for the stream x."""
        style = self.one_hot[self.windows.voices]
        for j, pair in enumerate(pairs):
            same = ours.conv1[j].weight.shape == theirs.conv1[j].weight.shape
            inner = most(pair.inner_read, len(kept))
            for of_pair, channels in ((1, kept), (2, inner)):
                self.choose(*(getattr(block, f"norm{of_pair}")[j] for block in (theirs, ours)), channels)
                getattr(ours, f"snake{of_pair}")[j].alpha.copy_(getattr(theirs, f"snake{of_pair}")[j].alpha[channels])
                if same:
                    getattr(ours, f"conv{of_pair}")[j].load_state_dict(getattr(theirs, f"conv{of_pair}")[j].state_dict())
            first = ours.snake1[j](ours.norm1[j](x, style))
            hidden = ours.conv1[j](first) if same else fit(ours.conv1[j], first, pair.inner[:, inner])
            second = ours.snake2[j](ours.norm2[j](hidden, style))
            x = x + (ours.conv2[j](second) if same else fit(ours.conv2[j], second, pair.stream[:, kept] - x))
        return x

    def choose(self, theirs: AdaIn, ours: AdaIn, channels: torch.Tensor) -> None:
        """Gives a norm the voices' constants at some channels."""
        number = self.numbers[theirs]
        gains = [torch.cat([half[channels] for half in theirs.fc(voice.style).chunk(2)]) for voice in self.constants]
        ours.fc.weight.copy_(torch.stack(gains, 1))
        ours.fc.bias.zero_()
        self.chosen[ours] = [tuple(values[channels] for values in voice.statistics[number]) for voice in self.constants]
        ours.constant = tuple(torch.stack([self.chosen[ours][v][k] for v in self.windows.voices.tolist()]) for k in (0, 1))
