"""Pictures of the demo shop, drawn: the same ones every time, with nobody's rights in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageChops, ImageDraw, ImageFilter

SIZE = 800
SCALE = 2  # drawn larger and reduced, for smooth edges
Colour = tuple[int, int, int]
Point = tuple[float, float]
Draw = Callable[["Canvas", Colour], None]

INK: Colour = (43, 37, 33)
PAPER: Colour = (250, 246, 238)
BRASS: Colour = (201, 155, 72)
LEAF: Colour = (86, 121, 73)
WOOD: Colour = (150, 108, 74)


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """`colour` with a share of `other` in it."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return (red, green, blue)


def light(colour: Colour, share: float = 0.3) -> Colour:
    return mixed(colour, (255, 255, 255), share)


def dark(colour: Colour, share: float = 0.22) -> Colour:
    return mixed(colour, (20, 14, 10), share)


def from_hex(code: str) -> Colour:
    return (int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16))


class Canvas:
    """Shapes in a square of 100 units, cast on a soft ground with a shadow."""

    def __init__(self, ground: Colour) -> None:
        side = SIZE * SCALE
        self.unit = side / 100
        self.ground = ground
        self.back = self._backdrop(SIZE)
        self.front = Image.new("RGBA", (side, side), (0, 0, 0, 0))
        self.pen = ImageDraw.Draw(self.front)

    def _backdrop(self, side: int) -> Image.Image:
        small = Image.new("RGB", (24, 24))
        for row in range(24):
            for column in range(24):
                far = math.hypot(column - 9.7, row - 7.5) / 26
                small.putpixel((column, row), mixed(light(self.ground, 0.86), light(self.ground, 0.55), min(far, 1)))
        return small.resize((side, side), Image.Resampling.BICUBIC)

    def _scaled(self, points: Sequence[Point]) -> list[Point]:
        return [(x * self.unit, y * self.unit) for x, y in points]

    def polygon(self, points: Sequence[Point], fill: Colour) -> None:
        self.pen.polygon(self._scaled(points), fill=fill)

    def curve(self, points: Sequence[Point], fill: Colour) -> None:
        """A closed shape through these points, rounded (Catmull-Rom)."""
        smooth: list[Point] = []
        count = len(points)
        for index in range(count):
            p0, p1, p2, p3 = (points[(index + offset) % count] for offset in (-1, 0, 1, 2))
            for step in range(12):
                t = step / 12
                smooth.append(
                    (
                        _catmull(p0[0], p1[0], p2[0], p3[0], t),
                        _catmull(p0[1], p1[1], p2[1], p3[1], t),
                    )
                )
        self.polygon(smooth, fill)

    def box(self, left: float, top: float, right: float, bottom: float, fill: Colour, radius: float = 0) -> None:
        corners = self._scaled([(left, top), (right, bottom)])
        self.pen.rounded_rectangle((*corners[0], *corners[1]), radius=radius * self.unit, fill=fill)

    def oval(self, left: float, top: float, right: float, bottom: float, fill: Colour) -> None:
        corners = self._scaled([(left, top), (right, bottom)])
        self.pen.ellipse((*corners[0], *corners[1]), fill=fill)

    def ring(self, left: float, top: float, right: float, bottom: float, colour: Colour, width: float) -> None:
        corners = self._scaled([(left, top), (right, bottom)])
        self.pen.ellipse((*corners[0], *corners[1]), outline=colour, width=round(width * self.unit))

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        self.pen.line(self._scaled(points), fill=colour, width=round(width * self.unit), joint="curve")

    def flower(self, x: float, y: float, size: float, colour: Colour, petals: int = 6) -> None:
        for petal in range(petals):
            angle = petal * math.tau / petals
            px, py = x + math.cos(angle) * size * 0.6, y + math.sin(angle) * size * 0.6
            self.oval(px - size * 0.42, py - size * 0.42, px + size * 0.42, py + size * 0.42, colour)
        self.oval(x - size * 0.3, y - size * 0.3, x + size * 0.3, y + size * 0.3, light(colour, 0.55))

    def scatter(self, area: tuple[float, float, float, float], step: float, size: float, colour: Colour) -> None:
        """Flowers in a brick pattern over what is drawn so far, as a block print would lie on cloth."""
        shape = self.front.getchannel("A").copy()
        left, top, right, bottom = area
        y, row = top, 0
        while y <= bottom:
            x = left + (step / 2 if row % 2 else 0)
            while x <= right:
                self.flower(x, y, size, colour)
                x += step
            y, row = y + step * 0.8, row + 1
        self.front.putalpha(ImageChops.multiply(self.front.getchannel("A"), shape))
        self.pen = ImageDraw.Draw(self.front)

    def finished(self) -> Image.Image:
        front = self.front.reduce(SCALE)
        shape = front.getchannel("A")
        unit = SIZE / 100
        shadow = Image.new("L", shape.size, 0)
        shadow.paste(shape.point(lambda value: value * 0.34), (round(1.2 * unit), round(2.4 * unit)))
        blurred = shadow.reduce(4).filter(ImageFilter.GaussianBlur(4.5)).resize(shape.size, Image.Resampling.BICUBIC)
        scene = Image.composite(Image.new("RGB", shape.size, dark(self.ground, 0.55)), self.back, blurred)
        scene.paste(front, (0, 0), shape)
        return scene


def _catmull(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def kurta(canvas: Canvas, colour: Colour) -> None:
    canvas.polygon(
        [(36, 20), (64, 20), (88, 50), (77, 58), (67, 45), (71, 88), (29, 88), (33, 45), (23, 58), (12, 50)], colour
    )
    canvas.scatter((12, 24, 88, 86), 8, 1.7, light(colour, 0.62))
    canvas.polygon([(29.6, 82), (70.4, 82), (71, 88), (29, 88)], dark(colour))
    canvas.polygon([(15.5, 46.5), (26.5, 54.5), (23, 58), (12, 50)], dark(colour))
    canvas.polygon([(84.5, 46.5), (73.5, 54.5), (77, 58), (88, 50)], dark(colour))
    canvas.polygon([(42, 20), (58, 20), (52, 46), (48, 46)], PAPER)
    canvas.line([(42, 20), (48, 46), (52, 46), (58, 20)], dark(colour), 1.1)
    for y in (29, 35, 41):
        canvas.oval(49.2, y, 50.8, y + 1.6, BRASS)


def shirt(canvas: Canvas, colour: Colour) -> None:
    canvas.polygon(
        [(35, 22), (65, 22), (86, 37), (79, 52), (69, 46), (69, 83), (31, 83), (31, 46), (21, 52), (14, 37)], colour
    )
    canvas.line([(50, 24), (50, 83)], dark(colour, 0.16), 0.8)
    canvas.box(42, 17.5, 58, 25, dark(colour, 0.1), 2)
    canvas.box(48.4, 17.5, 51.6, 25, light(colour, 0.4), 1)
    for y in (31, 41, 51, 61, 71):
        canvas.oval(49.1, y, 50.9, y + 1.8, light(WOOD))
    canvas.box(55, 39, 64, 49, dark(colour, 0.1), 0.8)
    canvas.line([(31, 46), (31, 52)], dark(colour), 0.6)
    canvas.line([(69, 46), (69, 52)], dark(colour), 0.6)


def saree(canvas: Canvas, colour: Colour) -> None:
    canvas.box(17, 22, 83, 80, colour, 3)
    canvas.scatter((22, 28, 80, 74), 9, 1.6, light(colour, 0.5))
    for y in (22, 72):
        canvas.box(17, y, 83, y + 8, BRASS, 1)
        for x in range(19, 82, 4):
            canvas.polygon([(x, y + 7), (x + 2, y + 1.2), (x + 4, y + 7)], dark(colour))
    for x in (38, 60):
        canvas.line([(x, 30), (x, 72)], dark(colour, 0.3), 0.8)


def stole(canvas: Canvas, colour: Colour) -> None:
    canvas.curve([(28, 18), (44, 16), (50, 40), (60, 82), (44, 84), (36, 48)], dark(colour, 0.12))
    canvas.curve([(72, 18), (56, 16), (48, 40), (38, 82), (56, 85), (64, 48)], colour)
    for y in (30, 38, 70, 76):
        canvas.line([(68 - (y - 30) * 0.32, y), (50 - (y - 30) * 0.14, y + 2)], light(colour, 0.6), 1.4)
    for x in range(40, 56, 2):
        canvas.line([(x, 84), (x - 1, 90)], colour, 0.6)


def tawa(canvas: Canvas, colour: Colour) -> None:
    canvas.polygon([(58, 58), (64, 52), (92, 82), (87, 88)], WOOD)
    canvas.oval(13, 16, 71, 74, dark(colour, 0.35))
    canvas.oval(15.5, 18, 68.5, 71, colour)
    canvas.oval(22, 24.5, 62, 64.5, light(colour, 0.1))
    canvas.oval(26, 28, 46, 44, light(colour, 0.17))
    canvas.oval(85.6, 80.6, 89, 84, light(WOOD, 0.6))


def pot(canvas: Canvas, colour: Colour) -> None:
    canvas.curve([(24, 42), (18, 60), (28, 80), (50, 84), (72, 80), (82, 60), (76, 42), (50, 38)], colour)
    canvas.curve([(28, 48), (24, 60), (32, 74), (40, 76), (32, 60)], light(colour, 0.45))
    canvas.oval(24, 35, 76, 47, dark(colour, 0.25))
    canvas.oval(27, 31, 73, 43, light(colour, 0.22))
    canvas.oval(45, 23, 55, 33, colour)
    canvas.ring(9, 44, 25, 60, dark(colour, 0.2), 2.6)
    canvas.ring(75, 44, 91, 60, dark(colour, 0.2), 2.6)


def bottle(canvas: Canvas, colour: Colour) -> None:
    canvas.box(43, 12, 57, 22, dark(colour, 0.25), 2)
    canvas.curve(
        [(44, 22), (42, 30), (33, 38), (32, 60), (33, 86), (50, 88), (67, 86), (68, 60), (67, 38), (58, 30), (56, 22)],
        colour,
    )
    canvas.curve([(38, 40), (36.5, 60), (38, 82), (42, 82), (41, 60), (42, 42)], light(colour, 0.5))
    for y in range(46, 80, 7):
        for x in range(45, 66, 6):
            canvas.oval(x, y, x + 3.4, y + 3.4, dark(colour, 0.14))


def cup(canvas: Canvas, colour: Colour) -> None:
    canvas.ring(64, 44, 86, 68, dark(colour, 0.12), 3.4)
    canvas.curve([(22, 38), (24, 62), (34, 80), (50, 82), (66, 80), (76, 62), (78, 38), (50, 34)], colour)
    canvas.curve([(25, 50), (50, 56), (75, 50), (72, 64), (50, 69), (28, 64)], light(colour, 0.5))
    canvas.oval(22, 31, 78, 45, light(colour, 0.35))
    canvas.oval(26, 33.5, 74, 43.5, (151, 92, 52))
    for x in (40, 50, 60):
        canvas.line([(x, 26), (x + 2, 21), (x - 1, 16), (x + 1, 11)], light(canvas.ground, 0.2), 1.2)


def spice_box(canvas: Canvas, colour: Colour) -> None:
    canvas.oval(12, 12, 88, 88, dark(colour, 0.3))
    canvas.oval(15, 14, 85, 84, light(colour, 0.4))
    spices: list[Colour] = [(214, 158, 38), (170, 48, 34), (118, 84, 52), (92, 108, 58), (196, 112, 48), (72, 54, 44)]
    for index, spice in enumerate(spices):
        angle = index * math.tau / 6
        x, y = 50 + math.cos(angle) * 22.5, 49 + math.sin(angle) * 22.5
        canvas.oval(x - 10.5, y - 10.5, x + 10.5, y + 10.5, dark(colour, 0.2))
        canvas.oval(x - 9, y - 9, x + 9, y + 9, spice)
        canvas.oval(x - 6, y - 7, x + 2, y - 1, light(spice, 0.22))
    canvas.oval(39.5, 38.5, 60.5, 59.5, dark(colour, 0.2))
    canvas.oval(41, 40, 59, 58, (228, 214, 184))


def tin(canvas: Canvas, colour: Colour) -> None:
    canvas.box(27, 28, 73, 86, colour, 4)
    canvas.box(25, 18, 75, 32, dark(colour, 0.28), 4)
    canvas.box(27, 44, 73, 74, PAPER, 0.5)
    canvas.line([(27, 46.5), (73, 46.5)], BRASS, 0.8)
    canvas.line([(27, 71.5), (73, 71.5)], BRASS, 0.8)
    leaf(canvas, 50, 60, 9, LEAF)
    leaf(canvas, 41, 62, 6, light(LEAF, 0.2))
    leaf(canvas, 59, 62, 6, light(LEAF, 0.2))
    canvas.box(30, 33, 34, 84, light(colour, 0.25), 2)


def leaf(canvas: Canvas, x: float, y: float, size: float, colour: Colour) -> None:
    canvas.curve([(x, y - size), (x + size * 0.5, y), (x, y + size), (x - size * 0.5, y)], colour)
    canvas.line([(x, y - size * 0.7), (x, y + size * 1.1)], dark(colour), 0.5)


def pouch(canvas: Canvas, colour: Colour) -> None:
    canvas.polygon([(28, 16), (72, 16), (76, 88), (24, 88)], colour)
    canvas.polygon([(28, 16), (72, 16), (72.6, 24), (27.4, 24)], dark(colour, 0.2))
    canvas.oval(34, 36, 66, 68, PAPER)
    canvas.ring(36, 38, 64, 66, BRASS, 0.7)
    for x, y in ((45, 48), (55, 50), (48, 58)):
        canvas.oval(x - 5, y - 6.5, x + 5, y + 6.5, (92, 58, 38))
        canvas.line([(x - 1.4, y - 6), (x + 1.2, y), (x - 1, y + 6)], (62, 38, 26), 0.8)
    canvas.box(36, 74, 64, 77, light(colour, 0.5), 1)
    canvas.box(42, 79.5, 58, 82, light(colour, 0.35), 1)


def notebook(canvas: Canvas, colour: Colour) -> None:
    canvas.polygon([(28, 18), (80, 20), (80, 86), (28, 86)], dark(PAPER, 0.12))
    canvas.box(24, 15, 76, 83, colour, 2)
    canvas.box(24, 15, 32, 83, dark(colour, 0.28), 2)
    canvas.scatter((36, 24, 74, 80), 10, 2, light(colour, 0.4))
    canvas.box(41, 36, 67, 50, PAPER, 1)
    canvas.line([(45, 41), (63, 41)], dark(PAPER, 0.4), 0.8)
    canvas.line([(45, 45.4), (57, 45.4)], dark(PAPER, 0.4), 0.8)
    canvas.polygon([(64, 80), (70, 80), (70, 93), (67, 90), (64, 93)], (176, 52, 44))


def pen(canvas: Canvas, colour: Colour) -> None:
    canvas.line([(24, 78), (70, 32)], colour, 8)
    canvas.line([(26, 74), (68, 32)], light(colour, 0.45), 1.4)
    canvas.line([(66, 36), (78, 24)], dark(colour, 0.3), 8.6)
    canvas.line([(72, 34), (84, 22)], BRASS, 1.6)
    canvas.polygon([(28, 79), (21, 73), (12, 88)], light(BRASS, 0.3))
    canvas.line([(23, 77), (13.6, 86.4)], dark(BRASS, 0.4), 0.6)
    canvas.curve([(14, 90), (30, 92), (44, 87), (58, 92), (58, 93), (44, 89), (30, 94)], (34, 56, 110))


def ink_bottle(canvas: Canvas, colour: Colour) -> None:
    canvas.box(37, 18, 63, 34, INK, 2)
    for x in range(39, 62, 3):
        canvas.line([(x, 20), (x, 32)], light(INK, 0.2), 0.6)
    canvas.box(20, 38, 80, 84, light(canvas.ground, 0.62), 7)
    canvas.box(42, 32, 58, 42, light(canvas.ground, 0.5), 1)
    canvas.box(23.5, 48, 76.5, 80.5, colour, 5)
    canvas.box(33, 54, 67, 73, PAPER, 1)
    canvas.curve([(50, 56), (55, 64), (50, 69), (45, 64)], colour)
    canvas.box(25.5, 50, 28.5, 78, light(colour, 0.35), 1.4)


def planner(canvas: Canvas, colour: Colour) -> None:
    canvas.box(18, 22, 82, 82, PAPER, 3)
    canvas.box(18, 22, 82, 38, colour, 3)
    for x in range(26, 80, 8):
        canvas.ring(x - 2, 16, x + 2, 28, dark(colour, 0.4), 1)
    for row in range(5):
        for column in range(7):
            left, top = 22.5 + column * 8, 43 + row * 7.4
            shade = colour if (row, column) in {(1, 2), (3, 5)} else dark(PAPER, 0.1)
            canvas.box(left, top, left + 6, top + 5.4, shade, 1)


def cushion(canvas: Canvas, colour: Colour) -> None:
    canvas.curve([(16, 18), (50, 22), (84, 18), (80, 50), (84, 84), (50, 80), (16, 84), (20, 50)], colour)
    canvas.scatter((20, 24, 82, 80), 11, 2.6, light(colour, 0.58))
    canvas.line(
        [(22, 24), (50, 26.5), (78, 24), (76, 50), (78, 78), (50, 75.5), (22, 78), (24, 50), (22, 24)],
        dark(colour, 0.18),
        0.8,
    )


def throw(canvas: Canvas, colour: Colour) -> None:
    for index, shade in enumerate((dark(colour, 0.16), colour, light(colour, 0.18))):
        top = 62 - index * 17
        canvas.box(16 + index, top, 84 - index, top + 21, shade, 6)
        for x in range(22, 80, 5):
            canvas.line([(x, top + 10), (x + 2.6, top + 10)], light(colour, 0.62), 0.8)
            canvas.line([(x - 1, top + 15), (x + 1.6, top + 15)], light(colour, 0.62), 0.8)
    for x in range(20, 82, 3):
        canvas.line([(x, 82), (x, 89)], dark(colour, 0.1), 0.9)


def diya(canvas: Canvas, colour: Colour) -> None:
    for x, y, size in ((50, 34, 0.8), (28, 50, 0.9), (72, 50, 0.9), (50, 66, 1.15)):
        canvas.curve(
            [
                (x - 18 * size, y),
                (x - 10 * size, y + 11 * size),
                (x, y + 13 * size),
                (x + 10 * size, y + 11 * size),
                (x + 18 * size, y),
                (x, y + 3 * size),
            ],
            colour,
        )
        canvas.oval(x - 15 * size, y - 3.6 * size, x + 15 * size, y + 4 * size, dark(colour, 0.3))
        canvas.curve(
            [(x, y - 15 * size), (x + 4.4 * size, y - 5 * size), (x, y), (x - 4.4 * size, y - 5 * size)], (245, 176, 58)
        )
        canvas.curve(
            [(x, y - 9 * size), (x + 2.2 * size, y - 4 * size), (x, y - 1 * size), (x - 2.2 * size, y - 4 * size)],
            (255, 236, 170),
        )


def lamp(canvas: Canvas, colour: Colour) -> None:
    canvas.polygon([(34, 16), (66, 16), (80, 50), (20, 50)], (243, 226, 188))
    canvas.polygon([(42, 16), (50, 16), (50, 50), (36, 50)], (250, 240, 214))
    canvas.box(33, 14, 67, 17, dark(colour, 0.2), 1)
    canvas.box(19, 48.6, 81, 51.4, dark(colour, 0.2), 1)
    canvas.curve([(48, 52), (52, 52), (54, 62), (59, 70), (53, 80), (47, 80), (41, 70), (46, 62)], colour)
    canvas.oval(32, 79, 68, 89, dark(colour, 0.15))
    canvas.oval(34, 78, 66, 86, light(colour, 0.2))


def candle(canvas: Canvas, colour: Colour) -> None:
    canvas.box(28, 40, 72, 86, light(colour, 0.5), 4)
    canvas.oval(28, 34, 72, 47, light(colour, 0.7))
    canvas.oval(31, 36, 69, 46, PAPER)
    canvas.line([(50, 41), (50, 33)], INK, 0.9)
    canvas.curve([(50, 14), (56, 27), (50, 35), (44, 27)], (245, 176, 58))
    canvas.curve([(50, 21), (53, 28), (50, 33), (47, 28)], (255, 238, 178))
    canvas.box(34, 56, 66, 76, PAPER, 1)
    canvas.flower(50, 66, 6, colour, 5)


def voucher(canvas: Canvas, colour: Colour) -> None:
    canvas.box(12, 30, 88, 74, colour, 5)
    canvas.scatter((14, 34, 86, 72), 12, 2.2, light(colour, 0.2))
    canvas.box(12, 48, 88, 56, BRASS)
    canvas.box(64, 30, 71, 74, BRASS)
    canvas.curve([(67, 50), (56, 40), (54, 48), (58, 54)], light(BRASS, 0.3))
    canvas.curve([(68, 50), (79, 40), (81, 48), (77, 54)], light(BRASS, 0.3))
    canvas.oval(64, 48, 71, 55, dark(BRASS, 0.15))


def ebook(canvas: Canvas, colour: Colour) -> None:
    canvas.box(24, 12, 76, 88, INK, 5)
    canvas.box(28, 17, 72, 80, PAPER, 1)
    canvas.box(28, 17, 72, 52, colour, 1)
    canvas.oval(40, 24, 60, 44, light(colour, 0.6))
    leaf(canvas, 50, 33, 7, LEAF)
    for y, right in ((58, 66), (63, 68), (68, 60), (73, 64)):
        canvas.line([(33, y), (right, y)], dark(PAPER, 0.35), 1)
    canvas.oval(48, 82.4, 52, 86.4, light(INK, 0.4))


def hamper(canvas: Canvas, colour: Colour) -> None:
    canvas.ring(24, 10, 76, 74, dark(WOOD, 0.2), 3)
    canvas.box(30, 28, 46, 56, LEAF, 2)
    canvas.box(48, 24, 60, 56, BRASS, 2)
    canvas.box(61, 34, 73, 56, (176, 52, 44), 2)
    canvas.polygon([(16, 50), (84, 50), (76, 86), (24, 86)], WOOD)
    for row in range(4):
        y = 54 + row * 8
        for column in range(9):
            x = 20 + column * 7 + (3.5 if row % 2 else 0)
            if 18 + row * 2 < x < 79 - row * 2:
                canvas.box(x, y, x + 5, y + 4.6, light(WOOD, 0.28), 1)
    canvas.curve([(50, 62), (38, 54), (36, 64), (44, 68)], colour)
    canvas.curve([(50, 62), (62, 54), (64, 64), (56, 68)], colour)
    canvas.oval(46.4, 58.4, 53.6, 65.6, dark(colour, 0.2))


def bag(canvas: Canvas, colour: Colour) -> None:
    canvas.ring(34, 10, 66, 58, dark(WOOD, 0.1), 2.4)
    canvas.polygon([(22, 36), (78, 36), (84, 88), (16, 88)], colour)
    for y in range(40, 88, 4):
        slant = (y - 36) * 6 / 52
        canvas.line([(22.5 - slant, y), (77.5 + slant, y)], dark(colour, 0.08), 0.6)
    canvas.flower(50, 62, 11, (176, 76, 52), 8)


MOTIFS: dict[str, Draw] = {
    draw.__name__: draw
    for draw in (
        kurta, shirt, saree, stole, tawa, pot, bottle, cup, spice_box, tin, pouch, notebook, pen, ink_bottle, planner,
        cushion, throw, diya, lamp, candle, voucher, ebook, hamper, bag,
    )
}  # fmt: skip


def picture(motif: str, colour: str, ground: str) -> Image.Image:
    """One of the `MOTIFS` in a colour, on a ground of another ("#RRGGBB")."""
    canvas = Canvas(from_hex(ground))
    MOTIFS[motif](canvas, from_hex(colour))
    return canvas.finished()
