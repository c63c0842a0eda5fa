"""Which host is in which cells, kept as hosts come, change and go."""

from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pyroaring import BitMap

from tidegate.fleet.case import Standings
from tidegate.fleet.cell import Cell, Tangled, Zone, bare
from tidegate.fleet.composition import Composition, Piece, Setting

FILLED_AT_ONCE = 16_384
"""Hosts whose numbers wait, four bytes for each piece, before they are put into their cells."""
_NOTHING = Tangled()


@dataclass(slots=True, eq=False)
class _Area:
    """The ordinary cells of one zone by the number of their piece; None for a piece that is of kernel cells."""

    zone: Zone
    setting: Setting
    standings: Standings = field(default_factory=dict)
    cells: dict[int, Cell | None] = field(default_factory=dict)


class Cells:
    """`tangled` by release. What is numbered has to be described before it is put in: KeyError otherwise."""

    def __init__(self, tangled: Mapping[tuple[str, str], Tangled]) -> None:
        self.tangled = dict(tangled)
        self._settings: dict[int, Setting] = {}
        self._pieces: dict[int, Piece] = {}
        self._areas: dict[Zone, _Area] = {}
        self._area_of: dict[int, _Area] = {}
        self._kernels: dict[tuple[int, tuple[int, ...]], Cell] = {}
        self._kernels_alike: dict[tuple[object, ...], Cell] = {}
        self.fresh: list[Cell] = []
        """Cells that came since somebody last took them from here."""

    def __iter__(self) -> Iterator[Cell]:
        """All cells."""
        for area in self._areas.values():
            yield from filter(None, area.cells.values())
        yield from self._kernels_alike.values()

    def undescribed(self, composition: Composition) -> tuple[list[int], list[int]]:
        """The settings and the pieces of a host that have to be described yet."""
        settings = [] if composition.setting in self._settings else [composition.setting]
        return settings, [one for one in composition.pieces if one not in self._pieces]

    def describe(self, settings: Mapping[int, Setting], pieces: Mapping[int, Piece]) -> None:
        """What numbers stand for."""
        self._settings.update(settings)
        self._pieces.update(pieces)

    def setting(self, composition: Composition) -> Setting:
        """A host's."""
        return self._settings[composition.setting]

    def standings(self, zone: Zone) -> Standings:
        """What cells of a zone share while they are judged."""
        return self._areas[zone].standings

    def anew(self) -> None:
        """All cells are to be judged anew, and are counted in nothing; those without a host are let go."""
        for area in self._areas.values():
            area.standings.clear()
            area.cells = {one: cell for one, cell in area.cells.items() if cell is None or cell.hosts}
        self._kernels = {key: cell for key, cell in self._kernels.items() if cell.hosts}
        self._kernels_alike = {key: cell for key, cell in self._kernels_alike.items() if cell.hosts}
        self.fresh = list(self)
        for cell in self.fresh:
            cell.counted_in, cell.found = [], ()

    def ordinary(self, composition: Composition) -> list[Cell]:
        """The ordinary cells of a host that is in them."""
        area = self._area(composition.setting)
        return list(filter(None, (area.cells[one] for one in composition.pieces)))

    def kernel(self, composition: Composition) -> Cell:
        """A kernel cell for a host alone, with all that it has, to be judged."""
        area, setting = self._area(composition.setting), self._settings[composition.setting]
        tangled = self.tangled.get(area.zone.release_key, _NOTHING)
        pieces = [self._pieces[one] for one in self._tangled_of(area, composition)]
        return Cell(area.zone, replace(setting, unreadable=()), tangled.packages(pieces), tangled=True)

    def put(self, composition: Composition, before: Composition | None) -> None:
        """A host is in these cells, and in none of those that it was in `before`."""
        number, area = composition.number, self._area(composition.setting)
        come: Collection[int] = composition.pieces
        if before is not None:
            was = self._area(before.setting)
            gone: Collection[int] = before.pieces
            self._kernel(was, before).discard(number)
            if was is area:
                come, gone = set(come).difference(gone), set(gone).difference(come)
            for one in gone:
                if (cell := was.cells[one]) is not None:
                    cell.discard(number)
        for one in come:
            if (cell := self._ordinary(area, one)) is not None:
                cell.add(number)
        self._kernel(area, composition).add(number)

    def fill(self, compositions: Iterable[Composition]) -> None:
        """Many hosts that were in none: as `put` for each, in a fraction of the time."""
        members: dict[_Area, dict[int, array[int]]] = defaultdict(lambda: defaultdict(lambda: array("I")))
        for count, composition in enumerate(compositions, 1):
            number, area = composition.number, self._area(composition.setting)
            mine = members[area]
            for one in composition.pieces:
                mine[one].append(number)
                if one not in area.cells:
                    self._ordinary(area, one)
            self._kernel(area, composition).add(number)
            if count % FILLED_AT_ONCE == 0:
                _into_cells(members)
        _into_cells(members)

    def drop(self, before: Composition) -> None:
        """A host is in none any more."""
        for cell in (*self.ordinary(before), self._kernel(self._area(before.setting), before)):
            cell.discard(before.number)

    def _area(self, setting_number: int) -> _Area:
        area = self._area_of.get(setting_number)
        if area is None:
            setting = self._settings[setting_number]
            zone = Zone(setting.distribution, setting.release, setting.pockets)
            area = self._areas.setdefault(zone, _Area(zone, bare(setting)))
            self._area_of[setting_number] = area
        return area

    def _ordinary(self, area: _Area, number: int) -> Cell | None:
        if number in area.cells:
            return area.cells[number]
        piece = self._pieces[number]
        cell = None
        if not self.tangled.get(area.zone.release_key, _NOTHING).has(piece):
            cell = Cell(area.zone, area.setting, piece)
            self.fresh.append(cell)
        area.cells[number] = cell
        return cell

    def _kernel(self, area: _Area, composition: Composition) -> Cell:
        numbers = self._tangled_of(area, composition)
        cell = self._kernels.get((composition.setting, numbers))
        if cell is None:
            cell = self._alike(area, self._settings[composition.setting], [self._pieces[one] for one in numbers])
            self._kernels[composition.setting, numbers] = cell
        return cell

    def _tangled_of(self, area: _Area, composition: Composition) -> tuple[int, ...]:
        return tuple(one for one in composition.pieces if self._ordinary(area, one) is None)

    def _alike(self, area: _Area, setting: Setting, pieces: Sequence[Piece]) -> Cell:
        """Kernel cells that differ only in what decides nothing are one."""
        tangled = self.tangled.get(area.zone.release_key, _NOTHING)
        packages = tangled.deciding(setting.kernel, tangled.packages(pieces))
        modules = setting.modules if tangled.remedies else ()
        deciding = replace(area.setting, kernel=setting.kernel, modules=modules)
        cell = self._kernels_alike.get((deciding, packages))
        if cell is None:
            cell = self._kernels_alike[deciding, packages] = Cell(area.zone, deciding, packages, tangled=True)
            self.fresh.append(cell)
        return cell


def _into_cells(members: dict[_Area, dict[int, "array[int]"]]) -> None:
    for area, by_piece in members.items():
        for one, numbers in by_piece.items():
            if (cell := area.cells[one]) is not None:
                cell.add_all(BitMap(numbers))
    members.clear()
