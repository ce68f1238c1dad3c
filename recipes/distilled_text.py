"""A small pretrained DistilBERT where none can be downloaded: distilled from the sentence encoder.

Paper 5 starts from pretrained DistilBERT. Without a model hub we make a stand-in that has read
text and no picture: a DistilBERT of two layers learns to say what the frozen sentence encoder says
of English sentences (cosine between the two, after a linear layer that is thrown away).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from polyglance.text.tokenizer import Tokenizer

LAYERS, WIDTH, HEADS, LENGTH, VOCABULARY = 2, 192, 4, 32, 4000
BATCH, EPOCHS, LEARNING_RATE = 128, 2, 1e-3


def distil(sentences: list[str], folder: Path, *, seed: int = 0) -> None:
    """Train on sentences and write a folder that transformers reads; done already is done."""
    if (folder / "config.json").exists():
        return
    import numpy as np
    import torch

    from polyglance.precision import inference_precision
    from polyglance.progress import track
    from polyglance.text.pooling import masked_mean
    from polyglance.text.sentence_encoder import SentenceEncoder
    from polyglance.text.tokenizer import Tokenizer
    from polyglance.text.transformer import new_distilbert
    from polyglance.training.recipe import PhaseConfig
    from polyglance.training.schedules import CosineSchedule, learning_rate_factor

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # matrices this small are faster on one
    tokenizer = Tokenizer.train(sentences, vocabulary_size=VOCABULARY, min_frequency=2)
    model = new_distilbert(
        vocabulary_size=len(tokenizer),
        pad_id=tokenizer.pad_id,
        layers=LAYERS,
        width=WIDTH,
        heads=HEADS,
        max_length=LENGTH,
    )
    teacher = SentenceEncoder.load()
    head = torch.nn.Linear(WIDTH, teacher.dimension)
    optimizer = torch.optim.AdamW([*model.parameters(), *head.parameters()], weight_decay=0.01)
    phase = PhaseConfig(epochs=EPOCHS, schedule=CosineSchedule(warmup_steps=50))
    steps_per_epoch = len(sentences) // BATCH
    total = phase.total_steps(steps_per_epoch)
    targets = np.empty((len(sentences), teacher.dimension), np.float16)
    with track("sentences for the teacher", len(sentences)) as advance:
        for start in range(0, len(sentences), 1024):
            some = sentences[start : start + 1024]
            targets[start : start + len(some)] = teacher.embed(some)
            advance(len(some))
    random = np.random.default_rng(seed)
    model.train()
    with track("sentences for the student", total * BATCH) as advance:
        for step in range(total):
            if step % steps_per_epoch == 0:
                order = random.permutation(len(sentences))
            start = step % steps_per_epoch * BATCH
            rows = order[start : start + BATCH]
            ids, mask = tokenizer.encode_batch(
                [sentences[row] for row in rows], ["en"] * len(rows), max_length=LENGTH
            )
            for group in optimizer.param_groups:
                group["lr"] = LEARNING_RATE * learning_rate_factor(
                    phase.schedule, step=step, total_steps=total, steps_per_epoch=steps_per_epoch
                )
            with inference_precision():
                states = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            said = head(masked_mean(states.float(), mask))  # (batch, 512)
            wanted = torch.from_numpy(targets[rows]).float()
            loss = 1 - torch.nn.functional.cosine_similarity(said, wanted).mean()
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            advance(BATCH)
    print(f"distilled: cosine to the teacher {1 - loss.item():.3f} at the end")
    _save(model, tokenizer, folder)


def _save(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder / "tokenizer.json")
    pad = next(name for name, row in tokenizer.vocabulary.items() if row == tokenizer.pad_id)
    fast: Any = PreTrainedTokenizerFast
    fast(tokenizer_file=str(folder / "tokenizer.json"), pad_token=pad).save_pretrained(str(folder))
    model.save_pretrained(str(folder))
