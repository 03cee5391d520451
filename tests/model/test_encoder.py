import pytest
import torch
from torch import nn

from sketchy.config_file import parse_config
from sketchy.errors import CheckpointError
from sketchy.model.backbone import Backbone
from sketchy.model.encoder import Encoder, Siamese, build_encoder

SIDE = 4


def transparent(channels: int, **options) -> Encoder:
    """An encoder whose embedding is what its backbone sees, flattened."""
    features = channels * SIDE**2
    settings = {"mean": (0.0,) * 3, "std": (1.0,) * 3, "dropout": 0.0, "normalize": False, **options}
    encoder = Encoder(Backbone(nn.Flatten(), features, channels), embedding_size=features, **settings)
    with torch.no_grad():
        encoder.head.weight.copy_(torch.eye(features))
        encoder.head.bias.zero_()
    return encoder


def images(count: int = 3, channels: int = 1, side: int = SIDE, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, channels, side, side), generator=generator, dtype=torch.uint8)


def configured(**sections) -> Encoder:
    torch.manual_seed(0)
    sections["image"] = {"size": 16, **sections.get("image", {})}
    return build_encoder(parse_config(sections, "test"))


def seen(encoder: Encoder, batch: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return encoder(batch, "photo").view(len(batch), encoder.in_channels, SIDE, SIDE)


def test_a_grey_image_fills_all_three_channels():
    batch = images()
    found = seen(transparent(3), batch)
    for channel in range(3):
        torch.testing.assert_close(found[:, channel], batch[:, 0] / 255)


def test_a_coloured_image_keeps_its_channels():
    batch = images(channels=3)
    torch.testing.assert_close(seen(transparent(3), batch), batch / 255)


def test_black_is_zero_and_white_is_one():
    batch = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, SIDE, SIDE)
    found = seen(transparent(1), batch)
    assert found[0].unique().tolist() == [0]
    assert found[1].unique().tolist() == [1]


def test_mean_and_std_are_taken_channel_by_channel():
    mean, std = (0.1, 0.2, 0.3), (0.5, 1.0, 2.0)
    batch = images()
    found = seen(transparent(3, mean=mean, std=std), batch)
    for channel in range(3):
        torch.testing.assert_close(found[:, channel], (batch[:, 0] / 255 - mean[channel]) / std[channel])


def test_a_grey_encoder_uses_the_first_mean_and_std():
    batch = images()
    found = seen(transparent(1, mean=(0.5, 9.0, 9.0), std=(0.25, 9.0, 9.0)), batch)
    torch.testing.assert_close(found, (batch / 255 - 0.5) / 0.25)


def test_a_grey_encoder_refuses_coloured_images():
    with pytest.raises(RuntimeError):
        transparent(1)(images(channels=3), "photo")


def test_normalized_embeddings_have_length_one():
    encoder = transparent(1, normalize=True)
    torch.testing.assert_close(encoder(images(), "photo").norm(dim=1), torch.ones(3))
    black = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.uint8)
    assert encoder(black, "photo").isfinite().all()


def test_embeddings_are_otherwise_left_as_they_are():
    assert (transparent(1)(images(), "photo").norm(dim=1) > 1.1).all()


def test_dropout_acts_in_training_only():
    encoder = configured(model={"dropout": 0.5, "embedding_size": 8})
    batch = images(8, side=16)
    encoder.eval()
    assert torch.equal(encoder(batch, "photo"), encoder(batch, "photo"))
    encoder.train()
    assert not torch.equal(encoder(batch, "photo"), encoder(batch, "photo"))


def test_without_dropout_training_repeats_itself():
    encoder = configured(model={"embedding_size": 8}).train()
    batch = images(8, side=16)
    assert torch.equal(encoder(batch, "photo"), encoder(batch, "photo"))


def test_the_config_decides_size_channels_and_sphere():
    grey = configured(model={"embedding_size": 8})
    assert (grey.in_channels, grey.embedding_size, grey.normalize) == (1, 8, False)
    rgb = configured(image={"color": "rgb"}, model={"embedding_size": 9, "normalize": True})
    assert (rgb.in_channels, rgb.embedding_size, rgb.normalize) == (3, 9, True)
    assert rgb(images(2, 3, 16), "photo").shape == (2, 9)
    scaled = configured(image={"mean": 0.5, "std": [0.5, 0.6, 0.7], "color": "rgb"})
    assert scaled.mean.flatten().tolist() == [0.5] * 3
    assert scaled.std.flatten().tolist() == pytest.approx([0.5, 0.6, 0.7])


def test_the_same_seed_draws_the_same_weights():
    one, other = configured(), configured()
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


def test_pretrained_weights_are_read_only_when_asked_for(tmp_path):
    missing = {"backbone": "mobilenet_v2", "pretrained": str(tmp_path / "gone.pth")}
    config = parse_config({"image": {"size": 32}, "model": missing}, "test")
    assert build_encoder(config, load_pretrained=False).in_channels == 3
    with pytest.raises(CheckpointError, match=r"gone\.pth"):
        build_encoder(config)


def test_preprocessing_is_not_among_the_weights():
    assert not {"mean", "std"} & set(configured().state_dict())


def test_both_branches_share_their_weights():
    siamese = Siamese(configured(model={"embedding_size": 8})).eval()
    batch = images(4, side=16)
    sketch, photo = siamese(batch, batch)
    assert torch.equal(sketch, photo)
    assert len(list(siamese.parameters())) == len(list(siamese.encoder.parameters()))
    (sketch.sum() - photo.sum()).backward()
    gradients = [parameter.grad.abs().max().item() for parameter in siamese.parameters()]
    assert max(gradients) < 1e-4  # what one branch adds the other takes away


def test_batch_norm_sees_the_branches_apart():
    def normed() -> Encoder:
        network = nn.Sequential(nn.BatchNorm2d(1), nn.Flatten())
        encoder = transparent(1)
        encoder.backbone = network
        return encoder.train()

    dark, bright = images(6) // 4, 255 - images(6, seed=1) // 4
    sketch, photo = Siamese(normed())(dark, bright)
    assert torch.equal(sketch, normed()(dark, "sketch"))
    assert torch.equal(photo, normed()(bright, "photo"))
    assert sketch.mean().abs() < 1e-5  # together they would lie on both sides of 0
    assert photo.mean().abs() < 1e-5


def test_a_pass_of_each_branch_moves_the_running_statistics():
    siamese = Siamese(configured(model={"embedding_size": 8})).train()
    siamese(images(4, side=16), images(4, side=16, seed=1))
    assert siamese.encoder.backbone[2].num_batches_tracked == 2


@pytest.mark.parametrize("model", [{}, {"backbone": "pooled_cnn", "normalize": True}, {"backbone": "mobilenet_v2"}])
def test_one_pass_behind_the_norms_learns_what_two_do(model):
    encoder = configured(model={"embedding_size": 8, **model}, image={"size": 32}).train()
    sketches, photos = images(5, side=32, seed=1), images(4, side=32, seed=2)
    learnt = []
    for embedded in (Siamese(encoder), lambda s, p: (encoder(s, "sketch"), encoder(p, "photo"))):
        encoder.zero_grad()
        sketch, photo = embedded(sketches, photos)
        (sketch.square().sum() + photo.sum()).backward()
        learnt.append([sketch, photo, *(parameter.grad for parameter in encoder.parameters())])
    for one, two in zip(*learnt, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("backbone", "last"), [("report_cnn", False), ("pooled_cnn", True)])
def test_channels_lie_last_where_there_are_many(backbone, last):
    siamese = Siamese(configured(model={"backbone": backbone}, image={"size": 32})).placed(torch.device("cpu"))
    widest = max((m for m in siamese.modules() if isinstance(m, nn.Conv2d)), key=lambda m: m.weight.numel())
    assert widest.weight.is_contiguous(memory_format=torch.channels_last) == last
    assert widest.weight.is_contiguous() != last
