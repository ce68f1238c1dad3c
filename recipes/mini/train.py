"""Step 3: train the heads of ``mini`` from what the towers gave.

    POLYGLANCE_FLICKR8K=… POLYGLANCE_MULTI30K_TEXT=… python recipes/mini/train.py runs/mini

Writes ``heads.safetensors`` and ``log.jsonl`` into the working folder. About twenty-five minutes
on two cores, less than one on a GPU.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import torch
from objectives import PseudoPhotos, align, contrast, relate
from safetensors.torch import load_file, save_file
from sampling import Captions, ClassNamesByLanguage, Translations, mean_rows
from store import CAPTIONED, Heads, Pictures, Texts, pick_device
from torch import Tensor, nn
from torch.nn import functional

from polyglance.systems.config import MiniConfig
from polyglance.systems.mini import join
from polyglance.weights.fetch import ensure

CONFIG = MiniConfig(dropout=0.4)
IMAGE_DROPOUT = 0.5
SENTENCE_DROPOUT = 0.15
EPOCHS, BATCH = 60, 500
RATE, DECAY = 1.5e-3, 0.05
WORDS, NAMES = 768, 1024  # a step
SCALE, NAME_SCALE = 22.0, 40.0
NAME_SHARE = 0.15  # how much a class name counts as a caption
FIRST_STEPS, FIRST_RATE = 500, 3e-3


class Trainer:
    """Everything that a step needs."""

    def __init__(self, work: Path, *, config: MiniConfig, seed: int) -> None:
        torch.manual_seed(seed)
        self.work, self.config = work, config
        self.device = device = pick_device()
        self.texts = Texts.load(work, device)
        self.train, self.val = (Pictures.load(work, split, device) for split in ("train", "val"))
        lexicon = json.loads((work / "lexicon.json").read_text("utf-8"))
        self.captions = Captions("train", self.texts, device)
        self.asked = Captions("val", self.texts, device)
        self.translations = Translations(lexicon, self.captions, self.texts, device)
        self.names = ClassNamesByLanguage(lexicon, self.texts, device)
        english = self.captions.by_language["en"]
        self.meanings = mean_rows(english.rows.tolist(), self.texts)
        self.pseudo = PseudoPhotos(photos=self.train, classifier=tower_classifier().to(device))
        self.heads = Heads(
            config, image_dropout=IMAGE_DROPOUT, sentence_dropout=SENTENCE_DROPOUT
        ).to(device)
        with torch.no_grad():
            self.heads.image.names.vectors.copy_(self.names.english)
        self.average = copy.deepcopy(self.heads)

    def correct(self, rows: Tensor) -> Tensor:
        """Text rows → corrected embeddings; texts of like length together, to pad little."""
        length = self.texts.offsets[rows + 1] - self.texts.offsets[rows]
        order = length.argsort()
        correction = self.heads.text.correction
        found = [
            correction(self.texts.sentences[part], self.texts.ngrams(part))
            for part in rows[order].chunk(6)
        ]
        return torch.cat(found)[order.argsort()]

    def read(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Text rows → captions, names, shares."""
        length = self.texts.offsets[rows + 1] - self.texts.offsets[rows]
        found: tuple[Tensor, Tensor, Tensor] = self.heads.text.read(self.correct(rows), length)
        return found

    def alignment(self) -> Tensor:
        """Words and sentences against their English."""
        rows, targets = self.translations.draw(WORDS)
        return align(self.correct(rows), targets)

    def losses(self, photos: Tensor) -> dict[str, Tensor]:
        """Every term of a step on (photos,)."""
        view = torch.randint(len(self.train.cells), photos.shape, device=self.device)
        cells, logits = self.train.cells[view, photos].float(), self.train.logits[view, photos]
        seen, seen_names = self.heads.image(cells, logits)
        rows, owners = self.captions.draw(photos)
        captions, names, share = self.read(rows)
        terms = {
            "caption": torch.zeros((), device=self.device),
            "relation": torch.zeros((), device=self.device),
        }
        branches = seen.shape[1]
        for index in range(branches):
            scores = SCALE * seen[:, index] @ captions[:, index].T
            terms["caption"] = terms["caption"] + contrast(scores, owners) / branches
            related = relate(scores, owners, self.meanings[photos])
            terms["relation"] = terms["relation"] + 2 * related / branches
        terms["name"], asked_share = self.name_loss()
        both = share.T * torch.einsum("pbd,tbd->pt", seen, captions).detach() / branches
        both = both + (1 - share.T) * (seen_names @ names.T).detach()
        target = torch.full_like(asked_share, NAME_SHARE)
        terms["share"] = 0.3 * functional.cross_entropy(SCALE * both.T, owners)
        terms["share"] = terms["share"] + 0.3 * functional.binary_cross_entropy(asked_share, target)
        terms["alignment"] = self.alignment()
        return terms

    def name_loss(self) -> tuple[Tensor, Tensor]:
        """Class names in every language against pseudo-photos; and their shares."""
        rows, classes = self.names.draw(NAMES)
        present, owners = torch.unique(classes, return_inverse=True)
        seen = self.heads.image.names(self.pseudo.logits(present))
        _, names, share = self.read(rows)
        drift = (self.heads.image.names.vectors - self.names.english).square().sum(1).mean()
        return contrast(NAME_SCALE * seen @ names.T, owners) + 0.02 * drift, share

    def first(self) -> None:
        """The text side alone learns dictionaries and parallel sentences."""
        learner = torch.optim.AdamW(
            self.heads.text.parameters(),
            lr=FIRST_RATE,
            weight_decay=0.0,
            betas=(0.9, 0.98),
            fused=True,
        )
        for step in range(FIRST_STEPS):
            for group in learner.param_groups:
                group["lr"] = FIRST_RATE * min(1, (step + 1) / 30) * (1 - 0.8 * step / FIRST_STEPS)
            loss = self.alignment()
            learner.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            learner.step()

    def run(self) -> None:
        """Train everything, and log every tenth epoch."""
        self.first()
        self.average = copy.deepcopy(self.heads)
        learner = self._optimiser()
        steps = EPOCHS * (self.train.cells.shape[1] // BATCH)
        started, step = time.perf_counter(), 0
        with (self.work / "log.jsonl").open("w", encoding="utf-8") as log:
            for epoch in range(1, EPOCHS + 1):
                order = torch.randperm(self.train.cells.shape[1], device=self.device)
                for photos in torch.split(order, BATCH):
                    step += 1
                    progress = 0.5 * (1 + math.cos(math.pi * step / steps)) * 0.97 + 0.03
                    for group in learner.param_groups:
                        group["lr"] = RATE * min(1, step / 20) * progress
                    terms = self.losses(photos)
                    loss = torch.stack(list(terms.values())).sum()
                    learner.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    learner.step()
                    self._follow(min(0.99, step / (step + 12)))
                if epoch % 6 == 0:
                    entry: dict[str, Any] = {
                        "epoch": epoch,
                        "seconds": round(time.perf_counter() - started),
                    }
                    entry |= {name: round(term.item(), 4) for name, term in terms.items()}
                    entry["R@10"] = self.measure()
                    entry["names R@5"] = self.measure_names()
                    log.write(json.dumps(entry) + "\n")
                    log.flush()
                    print(entry, flush=True)

    def _optimiser(self) -> torch.optim.AdamW:
        image, text = self.heads.image, self.heads.text
        free = {id(text.correction.table), id(text.names.weight), id(image.names.vectors)}
        decayed = [p for p in self.heads.parameters() if p.ndim > 1 and id(p) not in free]
        others = [p for p in self.heads.parameters() if p.ndim <= 1 or id(p) in free]
        groups = [
            {"params": decayed, "weight_decay": DECAY},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98), fused=True)

    @torch.no_grad()
    def _follow(self, keep: float) -> None:
        for slow, fast in zip(self.average.parameters(), self.heads.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Text→image R@10 of the averaged heads on the validation photos, per language."""
        heads = self.average.eval()
        captions, names = heads.image(self.val.cells[0].float(), self.val.logits[0])
        pictures = join(captions, names, torch.full_like(names[:, :1], 0.5))
        found = {}
        for language in CAPTIONED:
            rows, photo = self.asked.all(language)
            parts = [
                join(*heads.text(self.texts.sentences[part], self.texts.ngrams(part)))
                for part in torch.split(rows, 2000)
            ]
            scores = torch.cat(parts) @ pictures.T  # (texts, photos)
            own = scores.gather(1, photo[:, None])
            found[language] = round(100 * float(((scores >= own).sum(1) <= 10).float().mean()), 2)
        return found

    @torch.no_grad()
    def measure_names(self) -> float:
        """Pseudo-photos found by the English class names: R@5 among one a class."""
        heads = self.average.eval()
        generator = torch.Generator(device=self.device).manual_seed(5)
        classes = torch.arange(1000, device=self.device)
        seen = heads.image.names(self.pseudo.logits(classes, generator))
        rows = self.names.ragged[2].rows[:, 0]  # the first English name
        _, names, _ = heads.text(self.texts.sentences[rows], self.texts.ngrams(rows))
        scores = names @ seen.T
        return round(
            100 * float(((scores >= scores.diagonal()[:, None]).sum(1) <= 5).float().mean()), 1
        )

    def save(self) -> None:
        """The averaged heads, with the fixed components inside."""
        import numpy as np

        fixed = np.load(self.work / "components.npz")
        captions = self.average.image.captions
        captions.origin.copy_(torch.from_numpy(fixed["origin"]))
        captions.components.copy_(torch.from_numpy(fixed["components"]))
        state = {
            name: tensor.cpu().contiguous() for name, tensor in self.average.state_dict().items()
        }
        save_file(state, self.work / "heads.safetensors")


def tower_classifier() -> nn.Linear:
    """The image tower's classifier."""
    state = load_file(ensure("resnet50") / "model.safetensors")
    classifier = nn.Linear(2048, 1000)
    classifier.weight.data = state["classifier.weight"].float()
    classifier.bias.data = state["classifier.bias"].float()
    return classifier.requires_grad_(False)


def main() -> None:
    """Train with one seed."""
    torch.set_flush_denormal(True)  # Adam's moments of rare n-grams fade away slowly
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--branches", type=int, default=CONFIG.branches)
    parser.add_argument("--branch-dimension", type=int, default=CONFIG.branch_dimension)
    arguments = parser.parse_args()
    config = CONFIG.model_copy(
        update={"branches": arguments.branches, "branch_dimension": arguments.branch_dimension}
    )
    trainer = Trainer(arguments.work, config=config, seed=arguments.seed)
    trainer.run()
    trainer.save()


if __name__ == "__main__":
    main()
