"""A mapping at fault is explained by file, key, line and nearest word, before any data is opened."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import BaseModel, Field, ValidationError

from unit.sources.folder import CONTRACTS
from whatworks.errors import MappingError
from whatworks.sources import load
from whatworks.sources.mapping import Mapping
from whatworks.sources.toml_problems import line_of, plain_problem

PEOPLE = """\
[sources.people]
layout = "persons"
files = "personnes.csv"
person = {column = "nir"}
attributes.market = {column = "zone", type = "category"}
"""
WIDE = """\
[sources.paths]
layout = "wide"
files = "contrats.csv"
person = {column = "id"}
months = {pattern = "%b.%y"}
code.values = {a = "employment:job"}
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name in ("contrats.csv", "personnes.csv"):
        (tmp_path / name).touch()
    return tmp_path / "sources.toml"


def loaded(place: Path, text: str, *, head: str = "schema = 1\n") -> Mapping:
    place.write_text(head + text, encoding="utf-8")
    return load(place)[0]


def fault(place: Path, text: str, *, head: str = "schema = 1\n") -> str:
    with pytest.raises(MappingError) as caught:
        loaded(place, text, head=head)
    assert caught.value.exit_code == 2
    message = str(caught.value)
    assert message.startswith(str(place))
    assert "pydantic" not in message
    return message.removeprefix(str(place))


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def test_sound_mapping_and_its_fingerprint(place: Path) -> None:
    place.write_text(f"schema = 1\n{CONTRACTS}", encoding="utf-8")
    mapping, digest = load(place)
    assert digest == hashlib.sha256(place.read_bytes()).hexdigest()
    assert mapping.sources["contracts"].states == (("employment", "cdi"), ("employment", "cdd"))


def test_byte_order_mark_and_crlf_do_not_matter(place: Path) -> None:
    text = f"schema = 1\n{CONTRACTS}".replace("\n", "\r\n")
    place.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert list(load(place)[0].sources) == ["contracts"]


def test_missing_file(place: Path) -> None:
    with pytest.raises(MappingError, match="a mapping file that can be read; found no such file"):
        load(place.with_name("nowhere.toml"))


def test_directory(place: Path) -> None:
    with pytest.raises(MappingError, match="found is a directory"):
        load(place.parent)


def test_toml_syntax_has_its_line(place: Path) -> None:
    text = fault(place, changed(CONTRACTS, 'kind = "employment"', "kind = "))
    assert "needed a TOML file in UTF-8; found invalid value (at line 5, column 8)" in text


def test_key_written_twice(place: Path) -> None:
    assert "(at line 6" in fault(place, changed(CONTRACTS, "kind =", 'kind = "benefit"\nkind ='))


def test_not_utf8(place: Path) -> None:
    place.write_bytes('title = "é"'.encode("latin-1"))
    with pytest.raises(MappingError, match=r"found bytes that are not UTF-8 \(byte 10\)"):
        load(place)


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ('kind = "emp', 'kid = "emp', "unknown key 'kid' at sources.contracts.kid, line 5. "
         "To do: write 'kind'"),
        ("format = \"%d/%m/%Y\"}\nend", "fromat = \"%d/%m/%Y\"}\nend",
         "unknown key 'fromat' at sources.contracts.start.fromat, line 8. To do: write 'format'"),
        ("values = {", "value = {",
         "unknown key 'value' at sources.contracts.code.value, line 10"),
        ("schema = 1", "schem = 1", "unknown key 'schem' at schem, line 1"),
        ('kind = "employment"', 'kind = "employement"',
         "needed one of employment, benefit, accompaniment, education, joblessness; found "
         "'employement' at sources.contracts.kind, line 5. To do: write 'employment'"),
        ('layout = "spells"', 'layout = "spell"', "found 'spell' at sources.contracts.layout, "
         "line 3. To do: write 'spells'"),
        ("schema = 1", "schema = 2", "needed one of 1; found 2 at schema, line 1"),
        ('files = "contrats*.csv"', "files = 3",
         "needed a text in quotes; found 3 at sources.contracts.files, line 4"),
        ('person = {column = "nir"}', 'person = "nir"',
         "needed a table of keys; found 'nir' at sources.contracts.person, line 7"),
        ('person = {column = "nir"}\n', "",
         "needed the key 'person'; found none at sources.contracts.person, line 2"),
        ('"2021-01", "2022-12"', '"2021-01", "2022-13"',
         "needed a month written YYYY-MM, such as 2021-01, or 'auto'; found '2022-13' at "
         "sources.contracts.coverage.1, line 6"),
        ('"2021-01", "2022-12"', '"2022-12", "2021-01"',
         "needed a first month, then a last month not before it; found 2022-12 to 2021-01 at "
         "sources.contracts.coverage, line 6"),
        ('coverage = ["2021-01", "2022-12"]\n', "",
         "needed the key 'coverage', which layout 'spells' reads; found none"),
        ('kind = "employment"', 'declared_by_operator = "perhaps"',
         "needed true or false; found 'perhaps' at sources.contracts.declared_by_operator, line 5"),
        ('kind = "employment"\n', "",
         "needed 'kind' for the source, or every code written kind:code; found 'cdi' without"),
        ('"01" = "cdi"', '"01" = "work:cdi"',
         "needed one of the kinds employment, benefit, accompaniment, education, joblessness "
         "before the colon; found 'work:cdi' at sources.contracts.code, line 10"),
        ('"01" = "cdi"', '"01" = "CDI"',
         "needed a code such as cdi, or kind:code such as employment:cdi; found 'CDI' at "
         "sources.contracts.code.values.01, line 10"),
        ('"01" = "cdi"', '"01" = "none"', "found the code 'none' at sources.contracts.code"),
        ('column = "nature", values = {"01" = "cdi", "02" = "cdd"}', 'column = "nature"',
         "needed one of 'values' (raw code to code), 'bands' and 'constant'; found none at "
         "sources.contracts.code, line 10"),
        ("values = {", 'constant = "cdi", values = {', "found several at sources.contracts.code"),
        ('column = "nature", values = {"01" = "cdi", "02" = "cdd"}',
         'constant = "cdi", column = "x"', "found 'constant' beside 'column'"),
        ('column = "nature", v', "v", "needed the column that holds the raw codes; found none"),
        ('"02" = "cdd"}', '"02" = "cdd"}, none = ["02"]', "found '02' in both"),
        ('format = "%d/%m/%Y"}\nend', 'format = "%d/%m"}\nend',
         "found '%d/%m' at sources.contracts.start.format, line 8"),
        ('format = "%d/%m/%Y"}\nend', 'format = "dd/mm/yyyy"}\nend', "found 'dd/mm/yyyy'"),
        ("kind =", 'encoding = "latin-33"\nkind =', "found 'latin-33'"),
        ("kind =", 'encoding = "hex"\nkind =', "found 'hex' at sources.contracts.encoding"),
        ("kind =", 'encoding = "undefined"\nkind =',
         "needed an encoding such as utf-8, cp1252 or iso-8859-15; found 'undefined' at"),
        ('"2021-01", "2022-12"', '"2021-01", "2022-12", "2023-12"',
         "needed at most 2 items; found 3 items at sources.contracts.coverage, line 6. To do: "
         "remove what is too many"),
        ("kind =", 'strangers = "ignore"\nkind =', "needed one of refuse, count; found 'ignore'"),
        ("kind =", 'separator = ";;"\nkind =', "needed one character; found ';;'"),
        ("kind =", 'separator = \'"\'\nkind =', "needed a quote other than the separator"),
        ("kind =", 'month = {column = "m"}\nkind =',
         "needed keys that layout 'spells' reads; found 'month' at sources.contracts.month"),
        ("[sources.contracts]", "[sources.Contracts]",
         "needed a name of lower-case letters, digits and _ that starts with a letter; found "
         "'Contracts' at sources.Contracts, line 2"),
    ],
)  # fmt: skip
def test_fault_in_one_place(place: Path, old: str, new: str, found: str) -> None:
    assert found in fault(place, changed(f"schema = 1\n{CONTRACTS}", old, new), head="")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (changed(PEOPLE, "market", "person_id"), "found 'person_id' at sources.people.attributes"),
        (changed(PEOPLE, "market", "employment"), "call it for instance employment_declared"),
        (changed(PEOPLE, "category", "number"), "as a category; found 'number'"),
        (PEOPLE + changed(PEOPLE, "people", "others"),
         "found 'market' given by 'people' and by 'others'"),
        (changed(PEOPLE, "attributes.market =", "# "), "needed 'attributes', 'identity' or 'place'"),
        (PEOPLE + 'attributes.a = {column = "a", type = "boolean", values = {oui = "vrai"}}\n',
         "found 'vrai' at sources.people.attributes.a.values, line 7"),
        (PEOPLE + 'attributes.a = {column = "a", type = "number", format = "%Y"}\n',
         "needed 'format' only where type is 'month'; found type 'number'"),
        (PEOPLE + 'attributes.a = {column = "a", type = "month", format = "%m"}\n', "found '%m'"),
        (PEOPLE + 'attributes.a = {column = "a", type = "category", unmapped = "count"}\n',
         "needed 'unmapped' only where 'values' renames the values of a category; found type "
         "'category' without such a renaming at sources.people.attributes.a.unmapped, line 7"),
        (PEOPLE + 'strangers = "count"\n', "needed keys that layout 'persons' reads"),
        (PEOPLE + "declared_by_operator = true\n",
         "needed keys that layout 'persons' reads; found 'declared_by_operator'"),
        (changed(WIDE, "%b.%y", "%b"), "found '%b' at sources.paths.months.pattern, line 6"),
        (changed(WIDE, "code.values", 'code.column = "x"\ncode.values'), "remove it and list raw"),
        ("[sources]\n", "needed at least one source; found none at sources, line 2"),
    ],
)  # fmt: skip
def test_fault_of_other_layouts(place: Path, text: str, found: str) -> None:
    assert found in fault(place, text)


RSA = """\
[sources.rsa]
layout = "snapshots"
files = "contrats.csv"
kind = "benefit"
person = {column = "id"}
month = {column = "m"}
code = {constant = "rsa"}
"""
KEEP = "keep = {by = ['id'], order = 'n'%s}\n"
VIA = "via = {files = 'contrats.csv', from = ['a'], to = 'b'}"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (changed(RSA, 'column = "id"', ""), "needed either 'column' or 'columns'; found neither at "
         "sources.rsa.person, line 6"),
        (changed(RSA, 'column = "id"', 'column = "id", columns = ["a"]'), "found both at sources."),
        (changed(RSA, 'column = "id"', f'columns = ["a", "b"], {VIA}'),
         "needed as many columns as identify the rows, 2; found 1 at sources.rsa.person.via.from"),
        (changed(RSA, 'column = "id"', 'column = "id", via = {files = "x.csv", from = ["a"], to = '
                 '"b"}'), "key sources.rsa.person.via.files: needed a glob that matches"),
        (changed(RSA, 'column = "id"', 'column = "id", space = "Caf"'),
         "needed a name of lower-case letters, digits and _ that starts with a letter; found 'Caf'"),
        (changed(RSA, 'column = "id"', 'column = "id", width = 0'), "sources.rsa.person.width"),
        (RSA + "household = {columns = []}\n", "needed at least 1 item; found an empty list at "
         "sources.rsa.household.columns, line 9"),
        (RSA + "identity = {}\n", "needed at least one field of an identity, such as nir or "
         "birth_name; found none at sources.rsa.identity, line 9"),
        (RSA + "identity = {birth_date = {column = 'd', format = '%Y'}}\n",
         "found '%Y' at sources.rsa.identity.birth_date.format, line 9"),
        (changed(RSA, 'column = "id"', "column = 'id', " + VIA[:-1] + ", members = true}")
         + "identity = {nir = 'n'}\n", "needed 'identity' only where a row is about one person"),
        (RSA + "[[sources.rsa.where]]\ncolumn = 'a'\n", "needed one of 'one_of', 'none_of' and "
         "'above'; found none at sources.rsa.where.0, line 9"),
        (RSA + "[[sources.rsa.where]]\ncolumn = 'a'\nabove = 1\n[[sources.rsa.where]]\n"
         "colum = 'a'\nabove = 1\n", "unknown key 'colum' at sources.rsa.where.1.colum, line 13"),
        (RSA + KEEP % ", format = '%Y'", "needed 'format' only where type is 'date'"),
        (RSA + KEEP % ", type = 'date', format = '%Y'", "found '%Y' at sources.rsa.keep.format"),
        (RSA + "keep = {by = ['id']}\n", "needed the column that decides, or a 'vintage' of the "
         "files; found neither at sources.rsa.keep.order"),
        (RSA + "keep = {by = ['id'], type = 'date'}\n", "needed 'type' only beside 'order'"),
        (RSA + "vintage = {}\n", "needed either 'from_name' or 'month'; found neither"),
        (RSA + "vintage = {from_name = 'x'}\n", "put parentheses around the date in the name"),
        (RSA + "vintage = {from_name = '(x', format = '%Y%m'}\n", "needed a regular expression"),
        (RSA + "vintage = {from_name = '(x)', format = '%m'}\n", "found '%m' at sources.rsa.vintag"),
        (RSA + "vintage = {month = '2021-05', settled_after = -1}\n", "found -1 at sources.rsa."),
        (changed(WIDE, "layout", "vintage = {month = '2021-05', supersedes = 'months'}\nlayout"),
         "needed 'months' in layout 'snapshots' only, whose rows have a month; found layout 'wide' "
         "at sources.paths.vintage.supersedes, line 3"),
        (RSA + "lag_months = -1\n", "found -1 at sources.rsa.lag_months, line 9"),
        (RSA + "attributes.a = {column = 'a', type = 'number', disclosure = 'small'}\n",
         "needed one of the profiles persons; found 'small' at sources.rsa.attributes.a.disclosure, "
         "line 9. To do: declare it as [disclosure.small] or use one of those"),
        (RSA + "attributes.a = {column = 'a', type = 'number', sensitivity = 'special_category'}\n",
         "needed the legal basis on which a field of a special category is read; found none"),
        (RSA + "attributes.household = {column = 'a', type = 'category'}\n",
         "needed a name other than the product's own columns; found 'household'"),
        (RSA + "measures = {pay = {column = 'p', unit = 'EUR'}}\n"
         + changed(RSA, "sources.rsa", "sources.other")
         + "measures = {pay = {column = 'p', unit = 'kEUR'}}\n",
         "needed one unit for 'pay', 'EUR' as another source has it; found 'kEUR' at "
         "sources.other.measures.pay.unit, line 17"),
        (RSA + "[objections]\nfiles = 'contrats.csv'\n", "needed either 'column' or 'columns'; "
         "found neither at objections, line 9"),
        (RSA + "[objections]\nfiles = 'nowhere.csv'\ncolumn = 'a'\n",
         "key objections.files: needed a glob that matches at least one file"),
        (RSA + "[objections]\nfiles = 'contrats.csv'\ncolumn = 'a'\nseparator = ';;'\n",
         "needed one character; found ';;' at objections.separator, line 12"),
        (RSA + "[link]\nsecret_env = 'A'\nsecret_file = 'b'\n", "found 'secret_env' and "
         "'secret_file' at link.secret_file, line 11"),
        (RSA + "[link]\nthreshold = 0.4\n", "found 0.4 at link.threshold, line 10"),
        (RSA + "[territories]\ngeography = 'now'\ncommunes = {files = 'contrats.csv', commune = 'a', "
         "zone = 'b', departement = 'c'}\n", "needed a year of four digits, such as 2024; found "
         "'now' at territories.geography, line 10"),
    ],
)  # fmt: skip
def test_fault_of_tables_about_persons_and_extracts(place: Path, text: str, found: str) -> None:
    assert found in fault(place, text)


def test_several_faults_are_told_together(place: Path) -> None:
    text = changed(changed(CONTRACTS, "kind =", "kid ="), 'column = "nir"', 'colum = "nir"')
    message = fault(place, text)
    assert "found 2 problems:" in message
    for part in ("the unknown key 'kid'", "the unknown key 'colum'", "write 'column'"):
        assert part in message


def test_glob_without_match(place: Path) -> None:
    text = fault(place, changed(CONTRACTS, "contrats*.csv", "contracts_*.csv"))
    assert "key sources.contracts.files: needed a glob that matches at least one file" in text
    assert "found none for 'contracts_*.csv'" in text


def test_globs_may_be_absolute_and_folders_hold_glob_characters(tmp_path: Path) -> None:
    folder = tmp_path / "extract [2021]"
    folder.mkdir()
    (folder / "contrats.csv").touch()
    place = folder / "sources.toml"
    assert loaded(place, CONTRACTS).sources
    elsewhere = tmp_path / "sources.toml"
    absolute = f"{tmp_path.as_posix()}/*/contrats.csv"
    assert loaded(elsewhere, changed(CONTRACTS, "contrats*.csv", absolute)).sources


class Lists(BaseModel):
    """Lists as study files have them."""

    questions: Annotated[tuple[str, ...], Field(min_length=1)] = ("a",)
    slug: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = "a"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("questions = []\n", ("at least 1 item", "an empty list at questions, line 1",
                              "add what is missing")),
        ('slug = "É t"\n', ("a name of lower-case letters, digits and - that starts with a letter"
                            " or a digit", "'É t' at slug, line 1", "write it that way")),
    ],
)  # fmt: skip
def test_lists_and_slugs_in_plain_words(text: str, problem: tuple[str, str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        Lists.model_validate(tomllib.loads(text))
    assert plain_problem(caught.value, text, Lists) == problem


def test_line_of_finds_tables_dotted_keys_and_arrays_of_tables() -> None:
    text = '[a."b c"]\nd.e = 1\n\n[[f]]\ng = 1\n[[f]] # second\ng = 2\n'
    assert line_of(text, ("a", "b c", "d", "e")) == 2
    assert line_of(text, ("a", "b c")) == 1
    assert line_of(text, ("f", 1, "g")) == 7
    assert line_of(text, ("f", 1, "h")) == 6
    assert line_of(text, ("z",)) is None
