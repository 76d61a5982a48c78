"""`Plan`: which columns of a table go where in its encoding, in which order."""

import dataclasses
from collections.abc import Mapping, Sequence

from adaptive_nets.data.schema import Schema


@dataclasses.dataclass(frozen=True)
class Plan:
    """Keys of columns by what is made of them, in the order of the encoded tensors.

    Args:
        plain_numbers: Numbers that are float64 in the table.
        whole_numbers: Numbers that need the 64 bits of an int64.
        number_texts: Numbers that are text, by the way in which they are written.
        times: Dates that are times in the table.
        days: Dates that are numbers such as 20141013 in the table.
        date_texts: Dates that are text, by the order of day, month and year.
        words: Categories that are text.
        float_categories: Categories that are float64 in the table, with the booleans.
        whole_categories: Categories that are int64 in the table.
        float_codes: The `plain_numbers` that are also categories.
        text_codes: The `number_texts` that are also categories.
        whole_codes: The `whole_numbers` that are also categories.
        texts: Free text.
        order: All columns, in the order of the table.
        gaps: Places, among `numbers`, of those that had missing values.
        waves: Places, among `dates`, and names of the parts that repeat.
    """

    plain_numbers: list[str]
    whole_numbers: list[str]
    number_texts: dict[str, list[str]]
    times: list[str]
    days: list[str]
    date_texts: dict[str, list[str]]
    words: list[str]
    float_categories: list[str]
    whole_categories: list[str]
    float_codes: list[str]
    text_codes: dict[str, list[str]]
    whole_codes: list[str]
    texts: list[str]
    order: list[str]
    gaps: list[int] = dataclasses.field(default_factory=list)
    waves: list[tuple[int, str]] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, schema: Schema, parts: Mapping[str, Sequence[str]], gaps: Sequence[str]) -> "Plan":
        """Returns the plan of a schema.

        Args:
            schema: The schema of a table.
            parts: Names of the parts of dates that repeat, by key.
            gaps: Keys of numbers and dates that had missing values.
        """

        def chosen(*kinds, dtype, code=False):
            return [
                f.key for f in schema.features
                if f.kind in kinds and f.dtype == dtype and (f.code or not code)
            ]  # fmt: skip

        def by_style(names):
            style = {f.key: f.style for f in schema.features}
            found = {}
            for name in names:
                found.setdefault(style[name], []).append(name)
            return found

        plan = cls(
            plain_numbers=chosen("number", dtype="float64"),
            whole_numbers=chosen("number", dtype="int64"),
            number_texts=by_style(chosen("number", dtype="string")),
            times=chosen("date", dtype="int64"),
            days=chosen("date", dtype="float64"),
            date_texts=by_style(chosen("date", dtype="string")),
            words=chosen("category", "boolean", dtype="string"),
            float_categories=chosen("category", "boolean", dtype="float64"),
            whole_categories=chosen("category", "boolean", dtype="int64"),
            float_codes=chosen("number", dtype="float64", code=True),
            text_codes=by_style(chosen("number", dtype="string", code=True)),
            whole_codes=chosen("number", dtype="int64", code=True),
            texts=chosen("text", dtype="string"),
            order=[f.key for f in schema.features],
        )
        places = {name: place for place, name in enumerate(plan.numbers)}
        return dataclasses.replace(
            plan,
            gaps=[places[name] for name in plan.numbers if name in gaps],
            waves=[(k, part) for k, name in enumerate(plan.dates) for part in parts.get(name, ())],
        )

    @property
    def dates(self) -> list[str]:
        """Dates, in the order in which they are parsed."""
        return [*self.times, *self.days, *_joined(self.date_texts)]

    @property
    def parsed_numbers(self) -> list[str]:
        """Numbers and dates that become numbers, in the order in which they are parsed."""
        return [
            *self.plain_numbers, *self.whole_numbers, *_joined(self.number_texts), *self.dates
        ]  # fmt: skip

    @property
    def parsed_keys(self) -> list[str]:
        """Categories, then numbers that are also categories, in the order of their keys."""
        codes = [*self.float_codes, *_joined(self.text_codes), *self.whole_codes]
        return [*self.words, *self.float_categories, *self.whole_categories, *codes]

    @property
    def numbers(self) -> list[str]:
        """Numbers and dates that become numbers, in the order of the table."""
        return self._in_order(self.parsed_numbers)

    @property
    def categories(self) -> list[str]:
        """Categories, in the order of the table."""
        return self._in_order([*self.words, *self.float_categories, *self.whole_categories])

    @property
    def codes(self) -> list[str]:
        """Numbers that are also categories, in the order of the table."""
        return self._in_order([*self.float_codes, *_joined(self.text_codes), *self.whole_codes])

    def _in_order(self, names):
        wanted = set(names)
        return [name for name in self.order if name in wanted]

    def names(self) -> dict[str, list[str]]:
        """Returns what each column of the encoded tensors is, by the names of the tensors."""
        waves = [
            f"{self.dates[k]} {part} {wave}"
            for k, part in self.waves
            for wave in ("sine", "cosine")
        ]
        found = {
            "numbers": [*self.numbers, *waves],
            "missing": [self.numbers[place] for place in self.gaps],
            "categories": self.categories,
            "codes": self.codes,
            "tokens": self.texts,
        }
        return {name: listed for name, listed in found.items() if listed}


def places_of(names: Sequence[str], among: Sequence[str]) -> list[int] | None:
    """Returns the places of names in a list, or `None` if these are all of it, in order.

    Args:
        names: Names, each in the list.
        among: The list.
    """
    if list(names) == list(among):
        return None
    places = {name: place for place, name in enumerate(among)}
    return [places[name] for name in names]


def _joined(by_style):
    return [name for names in by_style.values() for name in names]
