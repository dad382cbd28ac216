"""Reading a flux of RSA households in XML: seconds and peak memory, beside whole-tree readers.

    python benchmarks/xml_flux.py [--sizes 100 300 1000]

Files in the layout of the monthly flux of the Caf to a département (sizes in MB) are written to a
temporary directory, read in processes of their own, and removed. Readers that hold the whole
tree are stopped at 6 GB or 120 s. (Not called ``xml.py``: Python would import it for its own.)
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

MOST_BYTES, MOST_SECONDS = 6 << 30, 120
MAPPING = """
schema = 1
[sources.rsa]
layout = "snapshots"
files = "{file}"
format = "xml"
kind = "benefit"
coverage = ["2024-01", "2024-01"]
person = {{ columns = ["organisme", "matricule", "naissance", "prenom"], strip = "spaces" }}
month = {{ column = "mois", format = "%Y-%m-%d" }}
code = {{ column = "etat", values = {{ "2" = "rsa", "4" = "suspended" }}, none = ["5", "6"] }}
[sources.rsa.xml]
unit = "InfosFoyerRSA"
row = "Personne"
[sources.rsa.xml.columns]
mois = "/Racine/IdentificationFlux/DTREF"
organisme = "../IdentificationRSA/NUMORG"
matricule = "../IdentificationRSA/MATRICULE"
nir = "NIR"
nom = "NOM"
prenom = "PRENOM"
naissance = "DTNAI"
sexe = "SEXE"
role = "ROLEPERS"
commune = "../Adresse/NUMCOM"
etat = "../PrestationRSA/ETATDOSRSA"
motif = "../PrestationRSA/MOTICLORSA"
montant = "../PrestationRSA/MTTOTDRORSA"
"""
HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<Racine>
<IdentificationFlux><TYPEFLUX>M</TYPEFLUX><NATFLUX>B</NATFLUX><DTREF>2024-01-31</DTREF></IdentificationFlux>
"""
NAMES = ("MARTIN", "QUÉRÉ", "LE GALL", "BENALI", "DA SILVA", "PETIT", "NGUYEN", "DUPONT-AIGNAN")
FIRST = ("JEANNE", "ZÉNAÏDE", "KARIM", "LÉA", "JOÃO", "ANNE-LISE", "PAUL")


def write(file: Path, size: int) -> None:
    """Write households until a file is of a size in bytes; names and numbers are of nobody."""
    rng = random.Random(size)
    households = written = 0
    with file.open("w", encoding="utf-8") as stream:
        written += stream.write(HEAD)
        while written < size:
            households += 1
            written += stream.write(household(households, rng))
        stream.write("</Racine>\n")


def household(number: int, rng: random.Random) -> str:
    members = "".join(person(number, rank, rng) for rank in range(rng.choice((1, 1, 1, 2, 3, 4))))
    state = rng.choice("2222456")
    closed = "<MOTICLORSA>ECH</MOTICLORSA><DTCLORSA>2023-12-31</DTCLORSA>" if state in "56" else ""
    return (
        "<InfosFoyerRSA><IdentificationRSA><FONORG>CAF</FONORG><NUMORG>081</NUMORG>"
        f"<MATRICULE>{number:07d}        </MATRICULE><DTDEMRSA>2019-06-01</DTDEMRSA>"
        f"<NUMDEMRSA>{number:011d}</NUMDEMRSA></IdentificationRSA>\n{members}"
        f"<Adresse><NUMCOM>08{rng.randrange(1, 480):03d}</NUMCOM><CODEPOS>08000</CODEPOS></Adresse>"
        f"<PrestationRSA><ETATDOSRSA>{state}</ETATDOSRSA>{closed}"
        f"<MTTOTDRORSA>{rng.randrange(60000) / 100:.2f}</MTTOTDRORSA></PrestationRSA>"
        "</InfosFoyerRSA>\n"
    )


def person(number: int, rank: int, rng: random.Random) -> str:
    name = rng.choice(NAMES)
    income = "".join(
        f"<Ressources><MOISRESS>2023-{month}-01</MOISRESS><NATRESS>000</NATRESS>"
        f"<MTNATRESSMEN>{rng.randrange(900)}.00</MTNATRESSMEN></Ressources>"
        for month in (10, 11, 12)
    )
    return (
        f"<Personne><QUAL>MME</QUAL><NOM>{name:<28}</NOM><NOMNAI>{name:<28}</NOMNAI>"
        f"<PRENOM>{FIRST[rank]:<32}</PRENOM><DTNAI>19{rng.randrange(60, 99)}-0{rng.randrange(1, 9)}-15"
        f"</DTNAI><SEXE>{1 + rank % 2}</SEXE><NIR>{2_600_000_000_000 + number * 10 + rank}</NIR>"
        f"<ROLEPERS>{'DEM' if rank == 0 else 'ENF'}</ROLEPERS><TOPPERSDRODEVORSA>1"
        f"</TOPPERSDRODEVORSA><ACT>CHO</ACT><DDACT>2020-01-01</DDACT>{income}</Personne>\n"
    )


def by_whatworks(file: Path, *, memory: str) -> int:
    ww = import_module("whatworks")
    records = ww.read(mapping_of(file), connection=ww.connect(memory_limit=memory))
    return records.files[0].rows


def rows_alone(file: Path) -> int:
    """What `read` does first: the rows as a table of text."""
    sources = import_module("whatworks.sources")
    formats = import_module("whatworks.sources.formats")
    scratch_of = import_module("whatworks.sources.scratch").Scratch
    source = sources.load(mapping_of(file))[0].sources["rsa"]
    with scratch_of(sources.connect()) as scratch:
        raw, _ = formats.read_file(
            file,
            source,
            name=file.name,
            columns=lambda _source, header, _connection: {name: name for name in header},
            number=0,
            spool=file.with_name("spool"),
            scratch=scratch,
        )
        return 0 if raw is None else raw.rows


def mapping_of(file: Path) -> Path:
    mapping = file.with_suffix(".toml")
    mapping.write_text(MAPPING.format(file=file.name), encoding="utf-8")
    return mapping


def by_pandas(file: Path) -> int:
    return len(import_module("pandas").read_xml(file, xpath="//Personne"))


def by_pandas_iterparse(file: Path) -> int:
    return len(import_module("pandas").read_xml(file, iterparse={"Personne": list(WANTED)}))


def by_lxml(file: Path) -> int:
    root = import_module("lxml.etree").parse(file).getroot()
    return len([tuple(p.findtext(w) for w in WANTED) for p in root.iter("Personne")])


WANTED = ("NIR", "NOM", "PRENOM", "DTNAI", "SEXE", "ROLEPERS")
READERS: dict[str, Callable[[Path], int]] = {
    "whatworks.read": partial(by_whatworks, memory="2GB"),
    "  engine at 100 MB": partial(by_whatworks, memory="100MB"),
    "  rows alone": rows_alone,
    "pandas.read_xml": by_pandas,
    "  with iterparse": by_pandas_iterparse,
    "lxml, whole tree": by_lxml,
}
"""Each imports what it needs by itself, before the clock starts: its peak is its own."""
PEERS = {
    "pandas.read_xml": "pandas",
    "  with iterparse": "pandas",
    "lxml, whole tree": "lxml.etree",
}


def measured(reader: str, file: Path) -> str:
    """One line: what a reader took in a process of its own."""
    command = [sys.executable, __file__, "--reader", reader, "--file", str(file)]
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watched = psutil.Process(child.pid)
    while child.poll() is None:
        time.sleep(0.2)
        if reader not in PEERS:
            continue
        held = watched.memory_info().rss
        if held > MOST_BYTES or time.perf_counter() - start > MOST_SECONDS:
            child.kill()
            child.wait()
            return "stopped at 6 GB" if held > MOST_BYTES else "stopped at 120 s"
    out = child.communicate()[0]
    if child.returncode:
        return f"failed ({child.returncode})"
    told = json.loads(out)
    size = file.stat().st_size / 1e6
    return (
        f"{told['seconds']:6.1f} s ({told['cpu']:5.1f} s CPU) {size / told['seconds']:7.1f} MB/s"
        f" {told['rows'] / told['seconds']:10,.0f} rows/s {told['peak'] / 1e6:8,.0f} MB peak"
        f" {told['rows']:10,} rows"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 300, 1000])
    parser.add_argument("--reader", help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reader:
        import_module(PEERS.get(options.reader, "whatworks.sources"))
        start, start_cpu = time.perf_counter(), time.process_time()
        rows = READERS[options.reader](options.file)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "peak": peak}))
        return
    with TemporaryDirectory(prefix="whatworks-bench-") as folder:
        for size in options.sizes:
            file = Path(folder) / f"flux_{size}.xml"
            write(file, size * 1_000_000)
            for reader in READERS:
                print(f"{size:5} MB  {reader:18} {measured(reader, file)}", flush=True)
            file.unlink()


if __name__ == "__main__":
    main()
