"""Step 5: train the name vectors longer, over the text side that is settled now.

    POLYGLANCE_FLICKR8K=… POLYGLANCE_MULTI30K_TEXT=… python recipes/mini/refine_names.py runs/mini

Prints text→image R@5 among 1,000 pseudo-photos, one a class, by the first name that each language
has, beside ConSE as published (the posterior over the frozen embeddings of the English names).
Replaces ``heads.safetensors``.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import torch
from objectives import PseudoPhotos, contrast
from safetensors.torch import load_file, save_file
from sampling import ClassNamesByLanguage
from store import LANGUAGES, Heads, Pictures, Texts, pick_device
from torch import Tensor
from torch.nn import functional
from train import CONFIG, NAME_SCALE, NAMES, tower_classifier

from polyglance.text.mini_heads import MiniTextHeads

STEPS, RATE, DRIFT = 1500, 1e-3, 0.02


def main(work: Path) -> None:
    """Train the class-name vectors and the text side's map onto them."""
    torch.manual_seed(0)
    torch.set_flush_denormal(True)
    device = pick_device()
    state = load_file(work / "heads.safetensors")
    branches = len({name.split(".")[2] for name in state if name.startswith("text.turns.")})
    heads = Heads(CONFIG.model_copy(update={"branches": branches}))
    image, text = heads.image, heads.text
    heads.load_state_dict(state)
    heads.to(device)
    texts = Texts.load(work, device)
    names = ClassNamesByLanguage(
        json.loads((work / "lexicon.json").read_text("utf-8")), texts, device
    )
    pseudo = PseudoPhotos(
        photos=Pictures.load(work, "train", device), classifier=tower_classifier().to(device)
    )
    frozen = texts.sentences[names.ragged[LANGUAGES.index("en")].rows[:, 0]]
    english = corrected(text, texts, torch.cat([each.rows.flatten() for each in names.ragged]))
    learned = [image.names.vectors, image.names.log_sharpness, text.names.weight]
    slow = [copy.deepcopy(parameter.data) for parameter in learned]
    learner = torch.optim.AdamW(learned, lr=RATE, weight_decay=0.0, betas=(0.9, 0.98), fused=True)
    for step in range(1, STEPS + 1):
        for group in learner.param_groups:
            group["lr"] = RATE * min(1, step / 20) * (1 - 0.97 * step / STEPS)
        rows, classes = names.draw(NAMES)
        present, owners = torch.unique(classes, return_inverse=True)
        seen = image.names(pseudo.logits(present))
        asked = functional.normalize(text.names(english[rows]), dim=1)
        drift = (image.names.vectors - names.english).square().sum(1).mean()
        loss = contrast(NAME_SCALE * seen @ asked.T, owners) + DRIFT * drift
        learner.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        learner.step()
        with torch.no_grad():
            for old, new in zip(slow, learned, strict=True):
                old.lerp_(new, 1 - min(0.99, step / (step + 12)))
        if step % 250 == 0:
            print(step, round(loss.item(), 3), flush=True)
    with torch.no_grad():
        for old, new in zip(slow, learned, strict=True):
            new.copy_(old)
        print(measure(image.names, text.names, pseudo, names, english, frozen))
    save_file(
        {name: tensor.cpu().contiguous() for name, tensor in heads.state_dict().items()},
        work / "refined.safetensors",
    )
    (work / "refined.safetensors").replace(work / "heads.safetensors")


@torch.no_grad()
def corrected(text: MiniTextHeads, texts: Texts, rows: Tensor) -> Tensor:
    """All sentence embeddings, those of ``rows`` corrected."""
    used = torch.unique(rows)
    length = texts.offsets[1:] - texts.offsets[:-1]
    used = used[length[used].argsort()]
    found = texts.sentences.clone()
    for part in torch.split(used, 2000):
        found[part] = text.eval().correction(texts.sentences[part], texts.ngrams(part))
    return found


def measure(
    seen_names: torch.nn.Module,
    asked_names: torch.nn.Module,
    pseudo: PseudoPhotos,
    names: ClassNamesByLanguage,
    english: Tensor,
    frozen: Tensor,
) -> dict[str, float]:
    """R@5 by language; ``ConSE en`` is the untrained baseline."""
    device = english.device
    generator = torch.Generator(device=device).manual_seed(5)
    logits = pseudo.logits(torch.arange(1000, device=device), generator)
    seen = seen_names(logits)

    def recall(asked: Tensor, pictures: Tensor, classes: Tensor) -> float:
        scores = asked @ pictures.T
        own = scores.gather(1, classes[:, None])
        return round(100 * float(((scores >= own).sum(1) <= 5).float().mean()), 1)

    everything = torch.arange(1000, device=device)
    plain = functional.normalize(torch.softmax(logits, 1) @ frozen, dim=1)
    found = {"ConSE en": recall(frozen, plain, everything)}
    for language, ragged in zip(LANGUAGES, names.ragged, strict=True):
        known = torch.nonzero(ragged.count)[:, 0]
        asked = functional.normalize(asked_names(english[ragged.rows[known, 0]]), dim=1)
        found[f"{language} ({len(known)})"] = recall(asked, seen, known)
    return found


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
