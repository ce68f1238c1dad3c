"""Step 4: train more caption branches over the text side that is settled now.

    POLYGLANCE_FLICKR8K=… POLYGLANCE_MULTI30K_TEXT=… python recipes/mini/refine.py runs/mini

While everything learns at once, a step is dear, since it corrects thousands of words. With the
corrected embeddings fixed they are computed once, and branches are cheap. The new ones stand beside
those trained before: an ensemble of both is better than either. With ``--branches 0``, all branches
settle for some epochs, after the class names that they also read were trained on. Replaces
``heads.safetensors``.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import re
import time
from pathlib import Path
from typing import Any

import torch
from objectives import contrast, relate
from safetensors.torch import load_file, save_file
from sampling import Captions, mean_rows
from store import CAPTIONED, Heads, Pictures, Texts, pick_device
from torch import Tensor
from train import CONFIG, IMAGE_DROPOUT, SCALE

from polyglance.systems.mini import join

EPOCHS, BATCH = 80, 750
RATE, DECAY = 1.5e-3, 0.05
SETTLING_EPOCHS, SETTLING_RATE = 12, 4e-4
NUMBERED = re.compile(r"(image\.captions\.branches\.|text\.turns\.|text\.branches\.)(\d+)(\..*)")
KEPT = (
    "image.names.",
    "text.correction.",
    "text.names.",
    "text.share.",
    "image.captions.origin",
    "image.captions.components",
)


class Refiner:
    """Fresh branches between cached cells and cached corrected embeddings."""

    def __init__(self, work: Path, *, branches: int, seed: int) -> None:
        torch.manual_seed(seed)
        self.device = device = pick_device()
        self.work = work
        self.trained = load_file(work / "heads.safetensors")
        self.fresh = branches > 0
        kept = self.trained
        if self.fresh:
            kept = {name: tensor for name, tensor in kept.items() if name.startswith(KEPT)}
        config = CONFIG.model_copy(update={"branches": branches or branches_of(self.trained)})
        self.heads = Heads(config, image_dropout=IMAGE_DROPOUT)
        self.heads.load_state_dict(kept, strict=False)
        self.heads.to(device)
        self.train, self.val = (Pictures.load(work, split, device) for split in ("train", "val"))
        texts = Texts.load(work, device)
        self.captions, self.asked = (Captions(split, texts, device) for split in ("train", "val"))
        self.meanings = mean_rows(self.captions.by_language["en"].rows.tolist(), texts)
        self.english, self.length = self._corrected(texts)
        with torch.no_grad():
            names = [self.heads.image.names(logits) for logits in self.train.logits]
            self.names = torch.stack(names)  # (views, photos, 512)

    @torch.no_grad()
    def _corrected(self, texts: Texts) -> tuple[Tensor, Tensor]:
        """(texts, 512) corrected embeddings of the captions, in place of the frozen ones."""
        pairs = [(captions, tag) for captions in (self.captions, self.asked) for tag in CAPTIONED]
        used = torch.unique(torch.cat([captions.all(tag)[0] for captions, tag in pairs]))
        length = texts.offsets[1:] - texts.offsets[:-1]
        used = used[length[used].argsort()]
        correction = self.heads.text.correction.eval()
        for part in torch.split(used, 2000):
            texts.sentences[part] = correction(texts.sentences[part], texts.ngrams(part))
        return texts.sentences, length

    def losses(self, photos: Tensor) -> Tensor:
        """Contrast and relation, averaged over the branches."""
        view = torch.randint(len(self.train.cells), photos.shape, device=self.device)
        seen = self.heads.image.captions(
            self.train.cells[view, photos].float(), self.names[view, photos]
        )
        rows, owners = self.captions.draw(photos)
        captions, _, _ = self.heads.text.read(self.english[rows], self.length[rows])
        terms = []
        for index in range(seen.shape[1]):
            scores = SCALE * seen[:, index] @ captions[:, index].T
            terms.append(contrast(scores, owners))
            terms.append(2 * relate(scores, owners, self.meanings[photos]))
        total: Tensor = torch.stack(terms).sum() / seen.shape[1]
        return total

    def run(self) -> None:
        """Train, and log every tenth epoch."""
        learned = [
            *self.heads.image.captions.parameters(),
            *self.heads.text.turns.parameters(),
            *self.heads.text.branches.parameters(),
        ]
        groups = [
            {"params": [p for p in learned if p.ndim > 1], "weight_decay": DECAY},
            {"params": [p for p in learned if p.ndim <= 1], "weight_decay": 0.0},
        ]
        learner = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.98), fused=True)
        average = copy.deepcopy(self.heads)
        photos = self.train.cells.shape[1]
        epochs, rate = (EPOCHS, RATE) if self.fresh else (SETTLING_EPOCHS, SETTLING_RATE)
        steps, step, started = epochs * -(-photos // BATCH), 0, time.perf_counter()
        with (self.work / "refine.jsonl").open("a", encoding="utf-8") as log:
            for epoch in range(1, epochs + 1):
                self.heads.train()
                order = torch.randperm(photos, device=self.device)
                for batch in torch.split(order, BATCH):
                    step += 1
                    progress = 0.5 * (1 + math.cos(math.pi * step / steps)) * 0.97 + 0.03
                    for group in learner.param_groups:
                        group["lr"] = rate * min(1, step / 20) * progress
                    loss = self.losses(batch)
                    learner.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    learner.step()
                    keep = min(0.99, step / (step + 12))
                    with torch.no_grad():
                        pairs = zip(average.parameters(), self.heads.parameters(), strict=True)
                        for slow, fast in pairs:
                            slow.lerp_(fast, 1 - keep)
                if epoch % 10 == 0 or epoch == epochs:
                    entry: dict[str, Any] = {
                        "epoch": epoch,
                        "seconds": round(time.perf_counter() - started),
                    }
                    entry |= {"loss": round(loss.item(), 4), "R@10": self.measure(average)}
                    log.write(json.dumps(entry) + "\n")
                    log.flush()
                    print(entry, flush=True)
        state = {name: tensor.cpu().contiguous() for name, tensor in average.state_dict().items()}
        if self.fresh:
            state = side_by_side(self.trained, state)
        save_file(state, self.work / "refined.safetensors")
        (self.work / "refined.safetensors").replace(self.work / "heads.safetensors")

    @torch.no_grad()
    def measure(self, heads: Heads) -> dict[str, float]:
        """Text→image R@10 on the validation photos, per language."""
        heads.eval()
        captions, names = heads.image(self.val.cells[0].float(), self.val.logits[0])
        pictures = join(captions, names, torch.full_like(names[:, :1], 0.5))
        found = {}
        for language in CAPTIONED:
            rows, photo = self.asked.all(language)
            texts = join(*heads.text.read(self.english[rows], self.length[rows]))
            scores = texts @ pictures.T  # (texts, photos)
            own = scores.gather(1, photo[:, None])
            found[language] = round(100 * float(((scores >= own).sum(1) <= 10).float().mean()), 2)
        return found


def branches_of(state: dict[str, Tensor]) -> int:
    """How many caption branches a state has."""
    return 1 + max(int(found[2]) for name in state if (found := NUMBERED.match(name)))


def side_by_side(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, Tensor]:
    """Two states with equal trunks: the first one's branches, then the second one's."""
    branches = branches_of(first)
    merged = dict(first)
    for name, tensor in second.items():
        if found := NUMBERED.match(name):
            merged[f"{found[1]}{int(found[2]) + branches}{found[3]}"] = tensor
    return merged


def main() -> None:
    """Refine with one seed."""
    torch.set_flush_denormal(True)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--branches", type=int, default=3, help="how many to add; 0 settles those there are"
    )
    arguments = parser.parse_args()
    refiner = Refiner(arguments.work, branches=arguments.branches, seed=arguments.seed)
    refiner.run()


if __name__ == "__main__":
    main()
