"""A tiny encoder of texts in a folder, with a tokenizer of words; needs transformers."""

import json

from tests.factories.texts import BAD, GOOD, OTHERS

WORDS = list(dict.fromkeys(["good", "bad", "film", "very", *GOOD, *BAD, *OTHERS]))
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def write_encoder(folder, kind="albert", words=WORDS, vocabulary=None, seed=0, **changes):
    """Writes configuration, tokenizer and random weights, as transformers does; returns the folder's path."""
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast

    vocab = {word: number for number, word in enumerate([*SPECIAL, *words])}
    tokenizer = Tokenizer(models.WordLevel(vocab, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 24}
    sizes |= {"max_position_embeddings": 32, "vocab_size": vocabulary or len(vocab), "pad_token_id": 0}
    sizes |= {"embedding_size": 8} if kind == "albert" else {}
    config = AutoConfig.for_model(kind, **sizes, **changes)
    torch.manual_seed(seed)
    AutoModel.from_config(config).save_pretrained(folder)
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | {"model_type": kind}))
    return str(folder)
