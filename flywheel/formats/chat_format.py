"""What the model to be trained reads: its chat template, its tokenizer, and how many tokens of an example are trained on."""

from dataclasses import dataclass
from pathlib import Path

from flywheel.formats.chat_templates import ENDS, ChatTemplate, TemplateInvalid, template
from flywheel.formats.tokenizer import ChatTokenizer, shipped, template_beside, tokenizer_of
from flywheel.records import short_hash


@dataclass(frozen=True, slots=True)
class ChatFormat:
    """A template and the tokenizer that reads what it renders."""

    template: ChatTemplate
    tokenizer: ChatTokenizer
    max_tokens: int | None = None

    @property
    def digest(self) -> str:
        """Hash of everything a proof depends on beside the examples."""
        parts = (self.template.digest, repr(sorted(self.template.variables.items())), self.tokenizer.digest)
        return short_hash(*parts, str(self.max_tokens))


def chat_format(
    template_name: str | None, tokenizer_name: str | None, max_tokens: int | None, folder: Path
) -> ChatFormat | None:
    """The format that a recipe names; None where it names none. Files lie in `folder`, that of the recipe.

    `template_name`: one that comes with flywheel, or a file with jinja, or a tokenizer_config.json or its folder; without it, the
    one beside the tokenizer. `tokenizer_name`: a folder with tokenizer.json; without it, the small one that comes with flywheel.
    Raises `TemplateInvalid` or `TokenizerMissing`, with the cure.
    """
    if template_name is None and tokenizer_name is None:
        return None
    tokenizer = shipped() if tokenizer_name is None else tokenizer_of(folder / tokenizer_name, tokenizer_name)
    if template_name is None:
        if (used := template_beside(Path(tokenizer.path).parent, tokenizer.name)) is None:
            raise TemplateInvalid(
                f"the tokenizer {tokenizer.name} has no chat template beside it. Add template = one of {', '.join(ENDS)}, or a file."
            )
    elif template_name in ENDS:
        used = template(template_name)
    else:
        used = template_at(folder / template_name, template_name)
    used.ending  # noqa: B018 - one that does not parse or cannot show the simplest conversation is found out here
    return ChatFormat(used, tokenizer, max_tokens)


def template_at(path: Path, name: str) -> ChatTemplate:
    """The template of a file of jinja, of a tokenizer_config.json, or of the folder of either. Raises `TemplateInvalid`."""
    found = None
    if path.is_dir() or path.name == "tokenizer_config.json":
        found = template_beside(path if path.is_dir() else path.parent, name)
    elif path.is_file():
        try:
            found = ChatTemplate(name, path.read_text("utf-8").removesuffix("\n"))
        except UnicodeDecodeError:
            raise TemplateInvalid(f"the template {name} is not UTF-8 text. Save it as UTF-8.") from None
    if found is None:
        raise TemplateInvalid(
            f"there is no chat template at {name}. Expected one of {', '.join(ENDS)}, a file of jinja, or a folder with "
            "chat_template.jinja or tokenizer_config.json, named from the recipe's folder."
        )
    return found
