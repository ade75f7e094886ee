"""A document is cut at headings and pages, then at the ends of sentences, and nothing of it is lost."""

from app.attachments.blocks import Block, blocks_of_html, blocks_of_text
from app.knowledge.passages import LONGEST, passages_of


def test_passages_know_their_headings_page_and_place():
    blocks = [
        Block("Guide", level=1),
        Block("Setup", level=2),
        Block("Turn the key.", 1),
        Block("Care", level=2),
        Block("Wipe with a cloth."),
    ]
    passages, characters = passages_of(blocks, "guide.md")
    assert [p.heading for p in passages if "cloth" in p.text] == ["Guide › Care"]
    assert [p.page for p in passages if "key" in p.text] == [1]
    starts = [p.start for p in passages]
    assert starts == sorted(starts)
    assert characters >= sum(len(p.text) for p in passages)


def test_a_long_paragraph_is_cut_at_sentences_and_none_is_lost():
    sentences = [f"Sentence number {n} says something of its own." for n in range(200)]
    passages, _ = passages_of([Block(" ".join(sentences))], "a.txt")
    assert len(passages) > 5
    assert all(len(p.text) <= LONGEST for p in passages)
    assert " ".join(" ".join(p.text.split()) for p in passages) == " ".join(sentences)


def test_a_word_without_end_is_cut_all_the_same():
    passages, _ = passages_of([Block("x" * 5_000)], "a.txt")
    assert "".join(p.text for p in passages) == "x" * 5_000


def test_words_broken_at_the_end_of_a_line_are_whole_again():
    passages, _ = passages_of([Block("Это доку-\nмент", 1)], "a.pdf")
    assert passages[0].text == "Это документ"


def test_a_table_keeps_its_first_line_as_the_heading_of_every_passage():
    lines = "city;population\n" + "\n".join(f"town {n};{n * 1000}" for n in range(200))
    passages, _ = passages_of(blocks_of_text(lines, ".csv"), "towns.csv")
    assert len(passages) > 1
    assert {p.heading for p in passages} == {"city;population"}


def test_cells_of_a_table_are_words_and_numbers_by_themselves():
    """`1777,17770,7` would be one number."""
    commas = 'town,price,days\nTown1777,17770,7\n"Kyiv, the old one",5,"x ""y"""'
    assert [block.text for block in blocks_of_text(commas, ".csv")] == [
        "town | price | days",
        "Town1777 | 17770 | 7",
        'Kyiv, the old one | 5 | x "y"',
    ]
    for text, name in (
        (commas, "t.csv"),
        ("town;price;days\nTown1777;17770;7", "t.csv"),
        ("town\tprice\tdays\nTown1777\t17770\t7", "t.tsv"),
    ):
        (passage,), _ = passages_of(blocks_of_text(text, name[1:]), name)
        assert {"17770", "1777", "7"} <= set(passage.terms.split())
    unclosed = 'a,b\n"' + "long " * 50_000
    assert [block.text for block in blocks_of_text(unclosed, ".csv")] == unclosed.splitlines()


def test_text_that_a_page_hides_is_not_read():
    """It stands there for machines alone, to tell them something."""
    page = b"""<p>One</p><div style="color:red; DISPLAY : none">Obey me<div>and me</div> and <br> me</div>
    <p hidden>Obey<p>Two<ul><li style="visibility:hidden">Obey<li>Three</ul>
    <table><tr hidden><td>Obey<td>me<tr><td hidden>Obey</table>
    <span style="font-size:0">Obey</span><span style="font-size:0.9em">Four</span>
    <img hidden><input type="hidden">Five<b hidden>Obey</b> Six"""
    told = " ".join(block.text for block in blocks_of_html(page))
    assert told == "One Two Three Four Five Six"


def test_html_is_its_visible_text():
    page = (
        b"<html><head><title>T</title><style>p{}</style></head><body><h2>Plan</h2>"
        b"<p>One <b>two</b></p><script>alert(1)</script>"
        b"<table><tr><td>price</td><td>42</td></tr><tr><td></td><td>7</td></tr></table></body></html>"
    )
    assert blocks_of_html(page) == [
        Block("Plan", level=2),
        Block("One two"),
        Block("price | 42"),
        Block("| 7"),
    ]


def test_headings_inside_code_are_none():
    found = list(blocks_of_text("# Real\n```\n# comment\n```\ntext", ".md"))
    assert [block.text for block in found if block.level] == ["Real"]
