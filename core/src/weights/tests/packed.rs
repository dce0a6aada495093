//! Weights packed as they are loaded.

use burn::module::{Module, Param};
use burn::tensor::{DType, Device, Tensor, TensorData};
use menagerie_kernels::{Format, Matrix, Packed};

use super::super::gguf::Value;
use super::super::save::Stored;
use super::super::{GgufTensor, Target, gguf_tensors, load_into, write_gguf, write_pytorch};
use super::*;
use crate::checkpoint::{Checkpoint, Publisher, Spelling, Storage, TensorName};
use crate::component::Component;
use crate::nn::{Embedding, Linear};
use crate::numbers::Numbers;
use crate::packed::{PackedWeight, packed_paths, unpacked};
use crate::parameters::draw;
use crate::recipe::Dtype;
use crate::weights::save_data;

const ROWS: usize = 27;
const WIDTH: usize = 64;
const HEADS: usize = 2;
const HIDDEN: usize = 40;

/// A table, a layer whose rows a GGUF file interleaves, one whose rows are no whole blocks, and a vector.
#[derive(Module, Debug)]
struct Net {
    embed: Embedding,
    query: Linear,
    down: Linear,
    gain: Param<Tensor<1>>,
}

fn net() -> Net {
    let device = Device::flex();
    let net = Net {
        embed: Embedding::new(ROWS, WIDTH, 0.5, &device),
        query: Linear::new(WIDTH, HIDDEN, true, &device),
        down: Linear::new(HIDDEN, WIDTH, false, &device),
        gain: burn::module::Initializer::Ones.init([WIDTH], &device),
    };
    draw(&net, 11);
    net
}

/// As PyTorch's files name it, and as GGUF's do.
fn checkpoint() -> Checkpoint {
    let names = |query: [TensorName; 2]| {
        let mut names = vec![TensorName::as_is("embed.weight", "embed.weight")];
        names.extend(query);
        names.extend(TensorName::linear("down", "down"));
        names.push(TensorName::as_is("gain", "gain"));
        names
    };
    let hf = names(TensorName::linear("query", "query"));
    let gguf = names(TensorName::interleaved("query", "attn_q", HEADS));
    let own = Spelling::paths(Component::Llm);
    let gguf = Checkpoint::with_prefixes(&[""], &gguf, &[]).by(Publisher::Gguf);
    let mut checkpoint = Checkpoint::with_prefixes(&[""], &hf, &[]).or(gguf);
    checkpoint.spellings.push(own);
    checkpoint
}

fn numbers(dtype: Dtype) -> Numbers {
    Numbers::new(dtype, &Device::flex()).expect("a CPU holds every type")
}

fn load(path: &Path, numbers: Numbers) -> Result<Net, WeightError> {
    let checkpoint = checkpoint();
    let target = Target {
        component: "net",
        root: "",
        checkpoint: &checkpoint,
        draws_newline: false,
    };
    let shards = Shards::open(path)?;
    load_into(net(), target, &shards, numbers, &mut |_| {}).map(|(net, _)| net)
}

fn f32s<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.try_to_vec().expect("f32")
}

/// Every weight of a net as f32.
fn values(net: Net) -> [Vec<f32>; 5] {
    let net = unpacked(net);
    [
        f32s(net.embed.weight.val()),
        f32s(net.query.weight.val()),
        f32s(net.query.bias.expect("it has one").val()),
        f32s(net.down.weight.val()),
        f32s(net.gain.val()),
    ]
}

/// The file's tensors, linear layers `[out, in]`, in this type of number.
fn tensors(dtype: DType) -> Vec<(&'static str, TensorData)> {
    let net = net();
    let data = |tensor: Tensor<2>| tensor.into_data().convert_dtype(dtype);
    let vector = |tensor: Tensor<1>| tensor.into_data().convert_dtype(dtype);
    vec![
        ("embed.weight", data(net.embed.weight.val())),
        ("query.weight", data(net.query.weight.val().transpose())),
        (
            "query.bias",
            vector(net.query.bias.expect("it has one").val()),
        ),
        ("down.weight", data(net.down.weight.val().transpose())),
        ("gain", vector(net.gain.val())),
    ]
}

/// What a weight `[output, input]` is once it is packed.
fn rounded(values: &[f32], outputs: usize, format: Format) -> Vec<f32> {
    let matrix = Matrix::new(values, outputs, values.len() / outputs);
    Packed::quantise(format, matrix)
        .expect("made of floats")
        .dequantise()
}

fn transposed(values: &[f32], rows: usize) -> Vec<f32> {
    let columns = values.len() / rows;
    let at = |place: usize| values[place % rows * columns + place / rows];
    (0..values.len()).map(at).collect()
}

#[test]
fn plain_files_of_every_format_are_packed_as_their_numbers_are() {
    let folder = tempfile::tempdir().expect("a folder");
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let safetensors = folder.path().join("model.safetensors");
        save_data(&tensors(dtype), &safetensors).expect("written");
        let pytorch = folder.path().join("model.bin");
        let stored = tensors(dtype).into_iter().map(|(name, data)| {
            let bytes = data.as_bytes().to_vec();
            Stored {
                name: name.to_owned(),
                dtype,
                shape: data.shape().to_vec(),
                bytes: Box::new(move || bytes.clone()),
            }
        });
        write_pytorch(&stored.collect::<Vec<_>>(), &pytorch).expect("written");

        let [embed, query, bias, down, gain] =
            values(load(&safetensors, Numbers::plain(DType::F32)).expect("loaded"));
        for (name, format) in [
            (Dtype::Bf16, Format::Bf16),
            (Dtype::Q8, Format::Q8),
            (Dtype::Q4, Format::Q4),
        ] {
            let weight = |values: &[f32], inputs: usize| {
                let by_outputs = transposed(values, inputs);
                let outputs = values.len() / inputs;
                transposed(&rounded(&by_outputs, outputs, format), outputs)
            };
            let wanted = [
                rounded(&embed, ROWS, format),
                weight(&query, WIDTH),
                bias.clone(),
                weight(&down, HIDDEN),
                gain.clone(),
            ];
            for file in [&safetensors, &pytorch] {
                let net = load(file, numbers(name)).expect("loaded");
                let mut packed: Vec<_> = packed_paths(&net).into_iter().collect();
                packed.sort();
                assert_eq!(packed, ["down.weight", "embed.weight", "query.weight"]);
                assert_eq!(net.gain.val().dtype(), DType::F32);
                assert!(values(net) == wanted, "{dtype:?} as {format} from {file:?}");
            }
        }
    }
}

/// A file of the net in `dtype`, under the names of `spelling`.
fn write(net: &Net, spelling: &Spelling, path: &Path) {
    let tensors = gguf_tensors(net, "net", spelling).expect("all have names");
    let name = Value::Text("net".to_owned());
    let metadata = [("general.name".to_owned(), name)].into();
    write_gguf(&metadata, &tensors, path).expect("written");
}

fn packed_in(net: Net, dtype: Dtype) -> Net {
    numbers(dtype).settle(net)
}

fn formats(net: &Net) -> [Format; 3] {
    let format = |weight: &Param<Tensor<2>>| {
        let packed = weight.reparameterization::<PackedWeight>();
        packed.expect("packed").format()
    };
    [
        format(&net.embed.weight),
        format(&net.query.weight),
        format(&net.down.weight),
    ]
}

/// Under GGUF's names, with the rows of queries interleaved, and under the parameters' own.
#[test]
fn what_is_packed_goes_into_a_file_and_comes_back_to_the_bit() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let all = checkpoint();
    let spellings = [
        all.gguf_spelling().expect("there is one"),
        &Spelling::paths(Component::Llm),
    ];
    for spelling in spellings {
        for dtype in [Dtype::F32, Dtype::Bf16, Dtype::Q8, Dtype::Q4] {
            let before = packed_in(net(), dtype);
            write(&before, spelling, &path);
            let after = load(&path, numbers(dtype)).expect("loaded");
            if dtype != Dtype::F32 {
                assert_eq!(formats(&after), formats(&before));
            }
            let wanted = values(before);
            assert!(
                values(after) == wanted,
                "{dtype:?}, {:?}",
                spelling.publisher
            );
            // As training reads it, from the same file.
            let plain = load(&path, numbers(dtype).unpacked()).expect("loaded");
            assert!(packed_paths(&plain).is_empty());
            assert!(values(plain) == wanted, "{dtype:?} unpacked");
        }
    }
}

#[test]
fn blocks_serve_types_that_are_no_narrower_and_are_quantised_anew_for_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let all = checkpoint();
    let spelling = all.gguf_spelling().expect("there is one");
    // Rows of `down` are no whole blocks: it lies there as floats.
    for (stored, wanted, query) in [
        (Dtype::Q8, Dtype::Q8, Format::Q8),
        (Dtype::Q4, Dtype::Q8, Format::Q4),
        (Dtype::Q8, Dtype::Q4, Format::Q4),
        (Dtype::Q8, Dtype::Bf16, Format::Bf16),
    ] {
        write(&packed_in(net(), stored), spelling, &path);
        let net = load(&path, numbers(wanted)).expect("loaded");
        let down = wanted_format(wanted);
        assert_eq!(
            formats(&net),
            [query, query, down],
            "{stored:?} as {wanted:?}"
        );
    }
}

fn wanted_format(dtype: Dtype) -> Format {
    match dtype {
        Dtype::Q8 => Format::Q8,
        Dtype::Q4 => Format::Q4,
        _ => Format::Bf16,
    }
}

/// ggml's own quantiser made these (`tests/fixtures/gguf/make.py`).
#[test]
fn llama_cpps_blocks_are_taken_as_they_lie() {
    #[derive(Module, Debug)]
    struct One {
        layer: Linear,
    }

    let shards = open("gguf/blocks.gguf").expect("opened");
    let expected = open("gguf/blocks.safetensors").expect("opened");
    for (name, q8, q4) in [
        ("q8_0", Some(Format::Q8), None),
        ("q4_0", Some(Format::Q4), Some(Format::Q4)),
        ("q4_k", Some(Format::Q4K), Some(Format::Q4K)),
        ("q6_k", Some(Format::Q6K), Some(Format::Q6K)),
        ("q5_k", None, None),
        ("q4_1", None, None),
    ] {
        let table = [TensorName {
            path: "layer.weight".to_owned(),
            key: name.to_owned(),
            storage: Storage::Transposed,
        }];
        let mut others: Vec<&'static str> = Vec::new();
        for other in shards.names().filter(|other| *other != name) {
            others.push(String::leak(other.to_owned()));
        }
        let checkpoint = Checkpoint::with_prefixes(&[""], &table, others.leak());
        let target = Target {
            component: "one",
            root: "",
            checkpoint: &checkpoint,
            draws_newline: false,
        };
        let data = expected.data(name).expect("there").convert::<f32>();
        let lies = data.try_to_vec::<f32>().expect("f32");
        for (dtype, taken) in [(Dtype::Q8, q8), (Dtype::Q4, q4)] {
            let one = One {
                layer: Linear::new(512, 3, false, &Device::flex()),
            };
            let loaded = load_into(one, target, &shards, numbers(dtype), &mut |_| {});
            let (one, _) = loaded.expect("loaded");
            let weight = &one.layer.weight;
            let packed = weight.reparameterization::<PackedWeight>().expect("packed");
            let anew = wanted_format(dtype);
            assert_eq!(
                packed.format(),
                taken.unwrap_or(anew),
                "{name} as {dtype:?}"
            );
            let wanted = match taken {
                Some(_) => lies.clone(),
                None => rounded(&lies, 3, anew),
            };
            assert!(
                f32s(weight.val().transpose()) == wanted,
                "{name} as {dtype:?}"
            );
        }
    }
}

#[test]
fn a_scale_that_is_no_number_is_found_in_its_block_as_in_a_float() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("model.gguf");
    let all = checkpoint();
    let spelling = all.gguf_spelling().expect("there is one");
    let mut tensors = gguf_tensors(&packed_in(net(), Dtype::Q8), "net", spelling).expect("named");
    let query = tensors
        .iter_mut()
        .find(|tensor| tensor.name == "attn_q.weight");
    let query = query.expect("there");
    let mut bytes = (query.bytes)();
    // The scales of the first block and of the last one.
    let last = bytes.len() - 34;
    bytes[0..2].copy_from_slice(&burn::tensor::f16::NAN.to_le_bytes());
    bytes[last..last + 2].copy_from_slice(&burn::tensor::f16::INFINITY.to_le_bytes());
    query.bytes = Box::new(move || bytes.clone());
    write_gguf(&[].into(), &tensors, &path).expect("written");
    for (numbers, count) in [
        (numbers(Dtype::Q8), "2 values"),
        (numbers(Dtype::Q4), "64 values"),
        (Numbers::plain(DType::F32), "64 values"),
    ] {
        let error = load(&path, numbers).expect_err("NaN").to_string();
        let wanted = format!("holds {count} that are NaN or infinite");
        assert!(
            error.contains("`attn_q.weight`") && error.contains(&wanted),
            "{error}"
        );
    }
}

/// A file larger than what one thread reads at a time.
#[test]
fn a_large_tensor_is_read_by_threads_without_a_seam() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("large.gguf");
    let value = |place: usize| f32::from(u16::try_from(place % 60_013).expect("it is less"));
    let values: Vec<f32> = (0..3_000_017).map(value).collect();
    let tensor = GgufTensor::of_f32("large", &values);
    write_gguf(&[].into(), &[tensor], &path).expect("written");
    let shards = Shards::open(&path).expect("opened");
    let entry = shards.get("large").expect("there");
    let (bytes, count) = entry.read_counted(DType::F32, vec![7; 90]).expect("read");
    assert_eq!(count, 0);
    assert!(bytes == entry.read().expect("read"));
    let mut spoilt = values;
    for at in [0, 1 << 20, (1 << 20) - 1, 3_000_016] {
        spoilt[at] = f32::NAN;
    }
    write_gguf(&[].into(), &[GgufTensor::of_f32("large", &spoilt)], &path).expect("written");
    let shards = Shards::open(&path).expect("opened");
    let (_, count) = shards
        .get("large")
        .expect("there")
        .read_counted(DType::F32, Vec::new())
        .expect("read");
    assert_eq!(count, 4);
}
