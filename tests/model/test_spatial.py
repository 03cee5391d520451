import pytest
import torch
from torch import nn

from sketchy.config import SpatialConfig
from sketchy.config_file import parse_config
from sketchy.distance import pairwise
from sketchy.errors import ConfigError
from sketchy.model.encoder import Encoder, Siamese, build_encoder
from sketchy.model.folding import folded
from sketchy.model.spatial import SpatialBackbone, SpatialHead, add_spatial_head, rms_normalize


def chain() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 6, 3, stride=2, padding=1))


def encoder(*, share: float = 0.5, **spatial) -> Encoder:
    torch.manual_seed(0)
    model = {"backbone": "mobilenet_v2", "embedding_size": 32, "normalize": True, "spatial": {"size": 8, **spatial}}
    made = build_encoder(parse_config({"image": {"size": 64, "color": "rgb"}, "model": model}, "a test")).eval()
    made.head.share.fill_(share)
    return made


def pixels(count: int = 3, side: int = 64) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), generator=torch.manual_seed(1), dtype=torch.uint8)


def test_features_are_those_of_the_whole_image_and_behind_them_those_of_each_cell():
    blocks = chain()
    images = torch.randn(2, 3, 8, 8)
    found = SpatialBackbone(blocks, block=1, grid=2)(images)
    middle = blocks[:2](images)
    assert torch.allclose(found[:, :6], blocks(images).mean((2, 3)))
    cells = found[:, 6:].view(2, 4, 2, 2)
    assert torch.allclose(cells[:, :, 0, 1], middle[:, :, :4, 4:].mean((2, 3)), atol=1e-6)


def test_the_last_block_can_be_gridded():
    blocks = chain()
    images = torch.randn(2, 3, 8, 8)
    assert torch.allclose(SpatialBackbone(blocks, block=2, grid=4)(images)[:, 6:], blocks(images).flatten(1))


def test_the_squared_distance_is_shared_between_what_and_where():
    head = SpatialHead(5, 7, embedding_size=8, spatial_size=3)
    head.share.fill_(0.3)
    one, other = torch.randn(4, 12), torch.randn(4, 12)
    whole, cells = (
        nn.functional.normalize(head.whole(one[:, :5])),
        nn.functional.normalize(head.cells(rms_normalize(one[:, 5:]))),
    )
    whole_2, cells_2 = (
        nn.functional.normalize(head.whole(other[:, :5])),
        nn.functional.normalize(head.cells(rms_normalize(other[:, 5:]))),
    )
    expected = 0.7 * (whole - whole_2).square().sum(1) + 0.3 * (cells - cells_2).square().sum(1)
    assert torch.allclose(pairwise(head(one), head(other)).diagonal().square(), expected, atol=1e-5)
    assert torch.allclose(head(one).norm(dim=1), torch.ones(4))


def test_the_second_part_is_silent_and_does_not_learn_until_it_is_fitted():
    made = encoder(share=0.0)
    embedded = made(pixels(), "photo")
    assert torch.equal(embedded[:, -8:], torch.zeros(3, 8))
    assert torch.allclose(embedded.norm(dim=1), torch.ones(3))
    embedded.square().sum().backward()
    assert made.head.whole.weight.grad is not None
    assert made.head.cells.weight.grad is None


def test_cells_of_photos_and_sketches_are_brought_to_one_scale():
    assert torch.allclose(rms_normalize(torch.randn(4, 50) * 7).square().mean(1), torch.ones(4))


def test_moving_a_thing_changes_where_more_than_what():
    images = torch.full((2, 3, 64, 64), 255, dtype=torch.uint8)
    images[0, :, 4:24, 4:24] = 0
    images[1, :, 36:56, 36:56] = 0
    with torch.no_grad():
        embedded = encoder(share=0.5)(images, "photo")
    moved = (embedded[0] - embedded[1]).square()
    assert moved[-8:].sum() > 2 * moved[:-8].sum()


@pytest.mark.parametrize("side", [32, 64, 100])
def test_images_of_any_size_get_embeddings_of_one_size(side):
    with torch.no_grad():
        assert encoder()(pixels(side=side), "sketch").shape == (3, 32)


@pytest.mark.parametrize("name", ["mobilenet_v3_large", "efficientnet_b0", "vgg16"])
def test_the_head_fits_every_block_of_the_networks_that_it_takes(name):
    model = {"backbone": name, "embedding_size": 16, "normalize": True, "spatial": {"size": 4, "block": 0, "grid": 2}}
    config = parse_config({"image": {"size": 32, "color": "rgb"}, "model": model}, "a test")
    backbone = build_encoder(config).backbone
    assert isinstance(backbone, SpatialBackbone)
    features = backbone.features
    last = torch.zeros(1, 3, 64, 64)
    for index, block in enumerate(features.eval()):
        with torch.no_grad():
            last = block(last)
        network = nn.Module()
        network.features, network.classifier = features, nn.Identity()
        _, head = add_spatial_head(network, 8, 16, SpatialConfig(block=index, grid=2, size=4))
        assert head.cells.in_features == last.shape[1] * 4


def test_oriented_gradients_are_a_part_of_what_the_second_layer_takes():
    plain, made = encoder(), encoder(gradients=4)
    assert made.head.cells.in_features == plain.head.cells.in_features + made.gradients.features
    images = pixels()
    features = made.describe(made.backbone(made.scale(images, "sketch")), images, "sketch")
    gradients = made.head.spatial_features(features)[:, plain.head.cells.in_features :]
    assert torch.allclose(gradients, made.gradients(images, "sketch") * made.gradients.features**0.5)
    assert torch.allclose(gradients.square().mean(1), torch.ones(3))
    assert plain.gradients is None


def test_in_training_sketches_and_photos_are_described_as_they_are_in_a_search():
    made = encoder(gradients=4)
    sketches, photos = pixels()[:, :1], pixels()
    with torch.no_grad():
        of_sketches, of_photos = Siamese(made)(sketches, photos)
        assert torch.allclose(of_sketches, made(sketches, "sketch"), atol=1e-5)
        assert torch.allclose(of_photos, made(photos, "photo"), atol=1e-5)


def test_it_is_folded_to_the_same_embeddings():
    made = encoder()
    with torch.no_grad():
        made.train()(pixels(8), "photo")  # so that the norms hold something
        expected = made.eval()(pixels(), "photo")
        assert torch.allclose(folded(made)(pixels(), "photo"), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("backbone", "spatial", "message"),
    [
        ("resnet18", {}, "model.spatial: takes mobilenet_v2"),
        ("convnext_tiny", {}, "model.spatial: takes mobilenet_v2"),
        ("mobilenet_v2", {"block": 19}, "blocks 0 to 18, not 19"),
        ("mobilenet_v2", {"size": 32}, "leaves nothing of model.embedding_size 32"),
    ],
)
def test_what_cannot_be_is_refused(backbone, spatial, message):
    model = {"backbone": backbone, "embedding_size": 32, "normalize": True, "spatial": spatial}
    with pytest.raises(ConfigError, match=message):
        build_encoder(parse_config({"image": {"size": 64, "color": "rgb"}, "model": model}, "a test"))


def test_embeddings_of_free_length_are_refused():
    with pytest.raises(ConfigError, match=r"model.*normalize"):
        parse_config({"model": {"backbone": "mobilenet_v2", "spatial": {}}}, "a test")
