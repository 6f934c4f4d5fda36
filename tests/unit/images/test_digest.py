from dataclasses import replace

import pytest
from tests.cluster.images.catalogue import IMAGES, Image


@pytest.fixture
def image(tmp_path):
    sources = tmp_path / "src"
    sources.mkdir()
    (sources / "module.py").write_text("one = 1\n")
    (tmp_path / "Dockerfile").write_text("FROM scratch\n")
    return Image("localhost/some-image:dev", tmp_path, tmp_path / "Dockerfile", (tmp_path / "Dockerfile", sources))


def test_what_is_the_same_has_the_same_digest(image):
    assert image.digest("below") == image.digest("below")


def test_compiled_code_is_no_input(image):
    before = image.digest("below")
    compiled = image.context / "src" / "__pycache__"
    compiled.mkdir()
    (compiled / "module.cpython-311.pyc").write_bytes(b"compiled")
    assert image.digest("below") == before


def test_a_change_of_any_input_changes_it(image):
    digests = {image.digest("below"), image.digest("another below")}
    digests.add(replace(image, tag="localhost/another:dev").digest("below"))
    digests.add(replace(image, target="worker").digest("below"))
    (image.context / "src" / "module.py").write_text("one = 2\n")
    digests.add(image.digest("below"))
    (image.context / "src" / "module.py").rename(image.context / "src" / "renamed.py")
    digests.add(image.digest("below"))
    (image.context / "src" / "more.py").write_text("")
    digests.add(image.digest("below"))
    assert len(digests) == 7


def test_what_passes_from_one_file_to_the_next_changes_it(image):
    (image.context / "src" / "a.py").write_text("ab")
    (image.context / "src" / "b.py").write_text("c")
    before = image.digest("below")
    (image.context / "src" / "a.py").write_text("a")
    (image.context / "src" / "b.py").write_text("bc")
    assert image.digest("below") != before


def test_it_changes_with_the_image_it_stands_on(image):
    above = replace(image, tag="localhost/above:dev", inputs=(), base=image)
    before = above.digest("below")
    (image.context / "src" / "module.py").write_text("one = 2\n")
    assert above.digest("below") != before


def test_it_does_not_depend_on_where_the_clone_is(image, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("clone")
    (elsewhere / "src").mkdir()
    (elsewhere / "src" / "module.py").write_text("one = 1\n")
    (elsewhere / "Dockerfile").write_text("FROM scratch\n")
    inputs = (elsewhere / "Dockerfile", elsewhere / "src")
    moved = replace(image, context=elsewhere, dockerfile=elsewhere / "Dockerfile", inputs=inputs)
    assert moved.digest("below") == image.digest("below")


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_all_that_the_catalogue_names_is_there(image):
    assert image.dockerfile.is_file()
    assert all(place.exists() for place in image.inputs)
    assert any(image.dockerfile.is_relative_to(place) for place in image.inputs), "the Dockerfile decides as well"


def test_no_two_images_share_a_name():
    assert len({image.name for image in IMAGES}) == len(IMAGES)


def test_an_image_is_built_after_what_it_stands_on():
    for place, image in enumerate(IMAGES):
        assert image.base is None or image.base in IMAGES[:place]
