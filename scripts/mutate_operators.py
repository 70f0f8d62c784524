"""Random operator mutants of the pure modules, each tested with the module's own test file.

    python -m scripts.mutate_operators --count 100 --seed 7
    python -m scripts.mutate_operators --module gglib.http.chunked     every mutant of one module

A mutant replaces one operator of one module: a comparison, ``and``/``or``, ``not``, arithmetic. scripts/pure_modules.py
defines which modules are pure and which test file belongs to a module; mutants of a module without a test file survive.
Only the module's own tests count: a fault should be detected where its module is tested.

A mutant is detected if its test file fails, cannot be collected, or does not end within the limit. Some mutants change
nothing that a caller can observe (``<`` for ``<=`` where both sides are never equal), so the goal is below 100 %.
"""

import argparse
import ast
import copy
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

from scripts.pure_modules import ROOT, SOURCE, own_test_file, pure_modules

LIMIT_S = 120
MEMORY_LIMIT_BYTES = 4 * 1024**3
"""A loop whose exit condition was mutated would otherwise use up the machine's memory."""

COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mutant: operator number ``site`` of a module, replaced."""

    path: Path
    site: int
    line: int
    change: str

    @property
    def test_file(self) -> Path:
        """The module's own test file, whether it exists or not."""
        return own_test_file(self.path)

    def __str__(self) -> str:
        """Return the location and the change, as ``path:line`` for editors."""
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.change}"


def sites(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every node with an operator that a mutant replaces; annotations and unions of types have none."""
    for node in ast.walk(without_annotations(tree)):
        match node:
            case ast.Compare(ops=[op]) if type(op) in COMPARISONS:
                yield node
            case ast.BoolOp() | ast.UnaryOp(op=ast.Not()):
                yield node
            case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in ARITHMETIC and not is_union(node):
                yield node
            case _:
                pass


def without_annotations(tree: ast.Module) -> ast.Module:
    """Return the tree without annotations, which the tests never evaluate."""
    for node in ast.walk(tree):
        match node:
            case ast.arg():
                node.annotation = None
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                node.returns = None
            case ast.AnnAssign():
                node.annotation = ast.copy_location(ast.Constant("object"), node.annotation)
            case _:
                pass
    return tree


def is_union(node: ast.AST) -> bool:
    """Whether ``A | B`` is a union of types, recognized by capitalized names or None."""
    match node:
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return is_union(left) or is_union(right)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name[:1].isupper() and not name.isupper()
        case ast.Constant(value=None):
            return True
        case _:
            return False


def replace_operator(node: ast.AST) -> str:
    """Replace the operator of a node in place, and return a description of the change."""
    before = ast.unparse(node)
    match node:
        case ast.Compare():
            node.ops = [COMPARISONS[type(node.ops[0])]()]
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp():
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), node.operand)
        case ast.BinOp() | ast.AugAssign():
            node.op = ARITHMETIC[type(node.op)]()
        case _:
            raise TypeError(node)
    return f"{before}  ->  {ast.unparse(node)}"


def mutants_of(path: Path) -> list[Mutant]:
    """Return every mutant of one module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        Mutant(path, number, getattr(node, "lineno", 0), replace_operator(copy.deepcopy(node)))
        for number, node in enumerate(sites(tree))
    ]


def mutated_source(mutant: Mutant) -> str:
    """Return the module's source with the operator replaced. Comments are lost, annotations are kept."""
    original = ast.parse(mutant.path.read_text(encoding="utf-8"))
    node = list(sites(copy.deepcopy(original)))[mutant.site]
    place = (type(node), node.lineno, node.col_offset, node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]
    for candidate in ast.walk(original):
        known = (type(candidate), *(getattr(candidate, name, None) for name in POSITION))
        if known == place:
            replace_operator(candidate)
            return ast.unparse(ast.fix_missing_locations(original))
    raise LookupError(str(mutant))


POSITION = ("lineno", "col_offset", "end_lineno", "end_col_offset")


class Bench:
    """A copy of the sources in which one mutant at a time is tested."""

    def __init__(self, directory: Path) -> None:
        self._source = directory / "src"
        shutil.copytree(SOURCE, self._source)

    def is_noticed(self, mutant: Mutant) -> bool:
        """Whether the module's own tests fail with the mutant."""
        if not mutant.test_file.exists():
            return False
        target = self._source / mutant.path.relative_to(SOURCE)
        original = target.read_bytes()
        forget_bytecode(target)
        target.write_text(mutated_source(mutant), encoding="utf-8")
        try:
            return not self.passes(mutant.test_file)
        finally:
            target.write_bytes(original)

    def passes(self, test_file: Path) -> bool:
        """Run one test file against the copy; False when it fails or does not end."""
        environment = {
            **os.environ,
            "PYTHONPATH": f"{self._source}{os.pathsep}{ROOT}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", str(test_file)]
        try:
            done = subprocess.run(
                command,
                env=environment,
                cwd=ROOT,
                capture_output=True,
                timeout=LIMIT_S,
                check=False,
                preexec_fn=limit,
            )
        except subprocess.TimeoutExpired:
            return False
        if done.returncode in {3, 4}:
            raise RuntimeError(done.stdout.decode() + done.stderr.decode())
        return done.returncode in {0, 5}  # 5: nothing was collected, so nothing was detected


def forget_bytecode(source: Path) -> None:
    """Remove compiled files, which Python would reuse for a mutant of the same size and modification second."""
    for compiled in (source.parent / "__pycache__").glob(f"{source.stem}.*"):
        compiled.unlink()


def limit() -> None:
    """Limit the memory of a test run; called in the child process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))


def run(mutants: list[Mutant], jobs: int) -> list[Mutant]:
    """Test the mutants, print a line for each, and return those that survived."""
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(jobs) as pool:
        benches: SimpleQueue[Bench] = SimpleQueue()
        for number in range(jobs):
            benches.put(Bench(Path(directory) / str(number)))
        require_green(sorted({mutant.test_file for mutant in mutants}), benches, pool)

        def test(mutant: Mutant) -> bool:
            bench = benches.get()
            try:
                return bench.is_noticed(mutant)
            finally:
                benches.put(bench)

        unnoticed = []
        for mutant, is_noticed in zip(mutants, pool.map(test, mutants), strict=True):
            where = "" if mutant.test_file.exists() else "  (no test file of its own)"
            print(f"{'noticed  ' if is_noticed else 'UNNOTICED'} {mutant}{where}", flush=True)
            if not is_noticed:
                unnoticed.append(mutant)
        return unnoticed


def require_green(test_files: list[Path], benches: "SimpleQueue[Bench]", pool: ThreadPoolExecutor) -> None:
    """Exit if a test file fails without a mutant: it would count every mutant as detected."""
    bench = benches.get()
    present = [path for path in test_files if path.exists()]
    failing = [
        path for path, passes in zip(present, pool.map(bench.passes, present), strict=True) if not passes
    ]
    benches.put(bench)
    if failing:
        sys.exit("These fail without a mutant: " + ", ".join(str(path.relative_to(ROOT)) for path in failing))


def main() -> None:
    """Choose mutants, test them, and print the share that was detected; exit with 1 below the goal."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--goal", type=float, default=0.85, help="the least share to notice")
    parser.add_argument(
        "--module", action="append", help="all mutants of this module instead of a random choice"
    )
    parser.add_argument(
        "--list", action="store_true", help="list pure modules without a test file of their own"
    )
    options = parser.parse_args()
    modules = pure_modules()
    every = [mutant for path in modules for mutant in mutants_of(path)]
    if options.list:
        for path in modules:
            count = sum(mutant.path == path for mutant in every)
            if count and not own_test_file(path).exists():
                print(
                    f"{path.relative_to(ROOT)}: {count} mutants, no {own_test_file(path).relative_to(ROOT)}"
                )
        return
    if options.module:
        wanted = {SOURCE.joinpath(*name.split(".")).with_suffix(".py") for name in options.module}
        chosen = [mutant for mutant in every if mutant.path in wanted]
    else:
        chosen = random.Random(options.seed).sample(every, min(options.count, len(every)))
    unnoticed = run(chosen, options.jobs)
    noticed = len(chosen) - len(unnoticed)
    print(
        f"{noticed} of {len(chosen)} noticed ({len(every)} mutants of {len(modules)} pure modules, seed {options.seed})"
    )
    sys.exit(noticed < options.goal * len(chosen))


if __name__ == "__main__":
    main()
