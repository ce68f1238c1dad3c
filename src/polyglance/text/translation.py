"""Translation by any sequence-to-sequence model of the transformers library; each text once.

For training on machine translations, and for the baseline that translates the test captions and
searches in the language of training (translate-test). Marian, NLLB, M2M100 and mBART-50 differ in
where they want to be told the languages: Marian's that know several targets, in front of the text;
the others, the source in front of the text and the target as the first word that they say.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from polyglance.data.language import primary_language
from polyglance.data.text import normalise_text
from polyglance.errors import ModelError
from polyglance.text.batching import length_sorted_batches
from polyglance.text.hub import cannot_load

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

NLLB_CODES = {
    "ar": "arb_Arab", "bg": "bul_Cyrl", "bn": "ben_Beng", "cs": "ces_Latn", "da": "dan_Latn",
    "de": "deu_Latn", "el": "ell_Grek", "en": "eng_Latn", "es": "spa_Latn", "et": "est_Latn",
    "fa": "pes_Arab", "fi": "fin_Latn", "fr": "fra_Latn", "he": "heb_Hebr", "hi": "hin_Deva",
    "hr": "hrv_Latn", "hu": "hun_Latn", "id": "ind_Latn", "it": "ita_Latn", "ja": "jpn_Jpan",
    "ko": "kor_Hang", "lt": "lit_Latn", "lv": "lvs_Latn", "nl": "nld_Latn", "no": "nob_Latn",
    "nb": "nob_Latn", "pl": "pol_Latn", "pt": "por_Latn", "ro": "ron_Latn", "ru": "rus_Cyrl",
    "sk": "slk_Latn", "sl": "slv_Latn", "sv": "swe_Latn", "sw": "swh_Latn", "ta": "tam_Taml",
    "te": "tel_Telu", "th": "tha_Thai", "tr": "tur_Latn", "uk": "ukr_Cyrl", "ur": "urd_Arab",
    "vi": "vie_Latn", "zh": "zho_Hans",
}  # fmt: skip
"""What NLLB calls the languages that captions come in; others are named by their own codes."""

_FIRST_WORD = re.compile(r"__[a-z]{2,3}__|[a-z]{3}_[A-Z][a-z]{3}|[a-z]{2}_[A-Z]{2}")
_BEFORE_TEXT = re.compile(r">>\S+<<")


class Translator:
    """Translates texts from one language into another, by beam search without chance.

    Args:
        model: with an encoder and a decoder; evaluation mode from here on.
        tokenizer: the model's own.
        source: BCP-47 tag of the texts; an engine's suffix does not matter.
        target: BCP-47 tag to translate into.
        source_code: what the model calls the source, where that does not follow from the tag.
        target_code: likewise.
        beams: of the search.
        max_length: tokens of a text and of its translation, as far as the model has positions;
            what goes beyond is cut.
        memory: JSON Lines file of what has been translated, or ``None`` to keep nothing. One file
            belongs to one :attr:`fingerprint`; several processes may write to it.

    Raises:
        ModelError: the model knows many languages, and not these two.
    """

    def __init__(
        self,
        *,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        source: str,
        target: str,
        source_code: str | None = None,
        target_code: str | None = None,
        beams: int = 4,
        max_length: int = 128,
        memory: Path | None = None,
    ) -> None:
        self._model, self._tokenizer = model, tokenizer
        self._model.train(False)
        positions = getattr(model.config, "max_position_embeddings", max_length)
        self._max_length = min(max_length, positions)
        self._beams, self._memory = beams, memory
        self._model.generation_config.max_length = None  # ours counts
        into = self._language(target, target_code)
        self._before = [] if into is None else [self._id(into)]
        self._first: int | None = None
        if into is not None and not _BEFORE_TEXT.fullmatch(into):
            of = self._language(source, source_code)
            self._before, self._first = [] if of is None else [self._id(of)], self._id(into)

    @classmethod
    def load(
        cls,
        name: str | Path,
        *,
        source: str,
        target: str,
        source_code: str | None = None,
        target_code: str | None = None,
        beams: int = 4,
        memories: Path | None = None,
        local_files_only: bool = True,
    ) -> Translator:
        """Load a model, with the memory that belongs to it.

        Args:
            name: a local folder or a hub name.
            source: as for :class:`Translator`, and so on.
            target: likewise.
            source_code: likewise.
            target_code: likewise.
            beams: likewise.
            memories: folder of the memories of all models; ``None``: no memory.
            local_files_only: do not use the network.

        Raises:
            ModelError: there is no such model, or it does not translate between these languages.
        """
        model, tokenizer = _load(name, local_files_only=local_files_only)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        translator = cls(
            model=model.to(device),  # type: ignore[arg-type]
            tokenizer=tokenizer,
            source=source,
            target=target,
            source_code=source_code,
            target_code=target_code,
            beams=beams,
        )
        if memories is not None:
            translator._memory = memories / f"{translator.fingerprint[:16]}.jsonl"
        return translator

    @property
    def fingerprint(self) -> str:
        """Hex SHA-256 over all that decides what a text is translated to."""
        vocabulary = sorted(self._tokenizer.get_vocab().items())
        told = [self._before, self._first, self._beams, self._max_length, vocabulary]
        digest = hashlib.sha256(json.dumps(told).encode())
        digest.update(self._model.generation_config.to_json_string().encode())
        for name, tensor in sorted(self._model.state_dict().items()):
            flat = tensor.detach().cpu().contiguous().reshape(-1)  # (elements,)
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(memoryview(flat.view(torch.uint8).numpy()))
        return digest.hexdigest()

    def translate(
        self,
        texts: Sequence[str],
        *,
        batch_size: int = 32,
        advance: Callable[[int], None] = lambda _count: None,
    ) -> list[str]:
        """The translation of each text, NFC-normalised.

        A batch is remembered as soon as it is translated, so that an interrupted run goes on there.

        Args:
            texts: any strings; equal ones are translated once.
            batch_size: texts at a time, of like length.
            advance: called with the number of texts that are done.
        """
        known = {} if self._memory is None else _remembered(self._memory)
        left = [text for text in dict.fromkeys(texts) if text not in known]
        advance(len(texts) - len(left))
        for rows in length_sorted_batches(left, batch_size=batch_size):
            batch = [left[row] for row in rows]
            new = dict(zip(batch, self._generate(batch), strict=True))
            if self._memory is not None:
                _remember(self._memory, new)
            known |= new
            advance(len(batch))
        return [known[text] for text in texts]

    @torch.inference_mode()
    def _generate(self, texts: list[str]) -> list[str]:
        device, pad = self._model.device, self._tokenizer.pad_token_id
        room = self._max_length - len(self._before) - 1
        end = [self._tokenizer.eos_token_id]
        pieces = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        rows = [torch.tensor([*self._before, *ids[:room], *end]) for ids in pieces]
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
        lengths = torch.tensor([len(row) for row in rows])
        mask = torch.arange(ids.shape[1]) < lengths[:, None]  # (texts, length), as ids
        generate: Any = self._model.generate
        said = generate(
            input_ids=ids.to(device),
            attention_mask=mask.long().to(device),
            num_beams=self._beams,
            do_sample=False,
            max_new_tokens=self._max_length,
            forced_bos_token_id=self._first,
        )  # (texts, length of the longest translation)
        told = 1 if self._first is None else 2  # the token that starts, and the language
        found = self._tokenizer.batch_decode(said[:, told:], skip_special_tokens=True)
        return [normalise_text(text.strip()) for text in found]

    def _language(self, tag: str, code: str | None) -> str | None:
        """The token that names a language; ``None`` for a model of two languages alone."""
        tokenizer = self._tokenizer
        known = {*tokenizer.get_vocab(), *tokenizer.all_special_tokens}
        known |= getattr(tokenizer, "lang_token_to_id", {}).keys()  # M2M100 keeps them apart
        if code is None:
            language = primary_language(tag)
            named = [NLLB_CODES.get(tag), NLLB_CODES.get(language), f"__{language}__"]
            named += [f">>{tag}<<", f">>{language}<<"]
        else:
            named = [code, f"__{code}__", f">>{code}<<"]
        for token in named:
            if token is not None and token in known:
                return token
        codes = sorted(t for t in known if _FIRST_WORD.fullmatch(t) or _BEFORE_TEXT.fullmatch(t))
        if codes or code is not None:
            raise ModelError(
                f"the translation model has no language {code or tag!r}; name it by the model's "
                f"own code, one of: {', '.join(codes[:40]) or 'none, for it knows two languages'}"
            )
        return None

    def _id(self, token: str) -> int:
        return int(self._tokenizer.convert_tokens_to_ids(token))  # type: ignore[arg-type]


def _load(
    name: str | Path, *, local_files_only: bool
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(
            str(name), local_files_only=local_files_only, trust_remote_code=False
        )
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            str(name),
            local_files_only=local_files_only,
            trust_remote_code=False,
            use_safetensors=True,
            dtype="float32",
            output_loading_info=True,
        )
    except ImportError as error:
        raise ModelError(
            f"the tokenizer at {str(name)!r} needs a library that is not installed: "
            "pip install polyglance[translation]"
        ) from error
    except (OSError, ValueError, TypeError) as error:
        raise cannot_load(
            "translation model", name, error, local_files_only=local_files_only
        ) from None
    if lost := sorted(report["missing_keys"]):
        raise ModelError(
            f"{str(name)!r} lacks the weights {', '.join(lost[:3])} of its architecture; save the "
            "whole model there anew with save_pretrained"
        )
    return model, tokenizer


def _remembered(path: Path) -> dict[str, str]:
    """Text → translation; lines that a power cut tore are passed over."""
    known: dict[str, str] = {}
    if not path.exists():
        return known
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            row = json.loads(line)
            known[row["text"]] = row["translation"]
        except (ValueError, TypeError, KeyError):
            continue
    return known


def _remember(path: Path, new: Mapping[str, str]) -> None:
    """Append in one write, so that processes do not mix their lines.

    An empty line comes first, so that one that was torn before does not spoil the next.
    """
    rows = [{"text": text, "translation": said} for text, said in new.items()]
    lines = "\n" + "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(handle, lines.encode("utf-8", "replace"))
    finally:
        os.close(handle)
