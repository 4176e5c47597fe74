//! The same operations on each device, and what happens between devices.
//!
//! wgpu's part runs on whatever adapter the machine has: a GPU, or a driver that computes on the
//! processor.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::backend::Flex;
use burn::tensor::activation::{gelu, log_softmax, relu, sigmoid, softmax};
use burn::tensor::backend::{Backend, Device};
use burn::tensor::module::{conv2d, max_pool2d_with_indices};
use burn::tensor::ops::ConvOptions;
use burn::tensor::quantization::{QuantLevel, QuantParam, QuantScheme, QuantValue};
use burn::tensor::{Bool, DType, Distribution, Int, Shape, Tensor, TensorData, Transaction};
use sharpscope_compute::{Compute, ComputeDevice, Place, adapters};

fn wgpu() -> ComputeDevice {
    let adapter = adapters().first().expect("an adapter; ./scripts/test.sh installs a driver");
    adapter.open(None).expect("the adapter opens").device()
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 37 % 23) as f32 - 11.0) / 7.0).collect()
}

fn floats<B: Backend, const D: usize>(shape: [usize; D], device: &B::Device) -> Tensor<B, D> {
    let shape = Shape::new(shape);
    let data = TensorData::new(numbers(shape.num_elements()), shape);
    Tensor::from_data(data, (device, DType::F32))
}

fn read<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().convert::<f32>().to_vec().expect("single precision")
}

/// A bit of everything that networks use; one vector for each result.
fn results<B: Backend>(device: &B::Device) -> Vec<(&'static str, Vec<f32>)> {
    let a = || floats::<B, 2>([4, 6], device);
    let b = || floats::<B, 2>([6, 3], device);
    let ids = || Tensor::<B, 1, Int>::from_ints([3, 0, 2], device);
    let images = || floats::<B, 4>([2, 2, 5, 5], device);
    let kernels = floats::<B, 4>([3, 2, 3, 3], device);
    let (pooled, places) = max_pool2d_with_indices(images(), [2, 2], [2, 2], [0, 0], [1, 1], false);
    let (top, at) = a().max_dim_with_indices(1);
    vec![
        ("matmul", read(a().matmul(b()))),
        ("exp", read(a().exp())),
        ("tanh", read(a().tanh())),
        ("erf", read(a().erf())),
        ("sigmoid", read(sigmoid(a()))),
        ("gelu", read(gelu(a()))),
        ("relu", read(relu(a()))),
        ("softmax", read(softmax(a(), 1))),
        ("log_softmax", read(log_softmax(a(), 1))),
        ("a shared tensor", {
            let x = a();
            let y = x.clone();
            read(Tensor::cat(vec![x.tanh() + 1.0, y], 0))
        }),
        ("transpose and slice", read(a().transpose().slice([1..4, 0..2]))),
        ("select", read(a().select(0, ids()))),
        (
            "gather",
            read(a().gather(1, Tensor::<B, 2, Int>::from_ints([[1], [2], [0], [5]], device))),
        ),
        ("mask", read(a().mask_fill(a().greater_elem(0.2), -1.0))),
        ("sums", read(a().sum_dim(0)).into_iter().chain(read(a().sum())).collect()),
        ("whole numbers", read((ids() * 2 + 1).float())),
        ("truth values", read(ids().equal_elem(2).bool_not().float())),
        ("argmax", read(top).into_iter().chain(read(at.float())).collect()),
        (
            "conv2d",
            read(conv2d(images(), kernels, None, ConvOptions::new([1, 1], [1, 1], [1, 1], 1))),
        ),
        ("max_pool2d", read(pooled).into_iter().chain(read(places.float())).collect()),
    ]
}

fn close(found: &[(&'static str, Vec<f32>)], expected: &[(&'static str, Vec<f32>)], error: f32) {
    for ((name, found), (_, expected)) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{name}");
        for (x, y) in found.iter().zip(expected) {
            assert!(
                (x - y).abs() <= error * y.abs().max(1.0),
                "{name}: {found:?}, not {expected:?}"
            );
        }
    }
}

#[test]
fn the_cpu_computes_as_the_backend_behind_it() {
    close(&results::<Compute>(&ComputeDevice::Cpu), &results::<Flex>(&Default::default()), 1e-6);
}

#[test]
fn an_adapter_computes_as_the_cpu() {
    close(&results::<Compute>(&wgpu()), &results::<Compute>(&ComputeDevice::Cpu), 1e-5);
}

#[test]
fn tensors_know_where_they_are_and_move() {
    let device = wgpu();
    let x = floats::<Compute, 2>([2, 3], &ComputeDevice::Cpu);
    let there = x.clone().to_device(&device);
    assert_eq!((x.device(), there.device()), (ComputeDevice::Cpu, device.clone()));
    assert_eq!((x.dims(), x.dtype()), (there.dims(), there.dtype()));
    let back = there.to_device(&ComputeDevice::Cpu);
    assert_eq!(back.device().place(), Place::Cpu);
    assert_eq!(read(back), read(x));
}

#[test]
fn tensors_of_two_devices_do_not_meet() {
    let here = floats::<Compute, 1>([3], &ComputeDevice::Cpu);
    let there = floats::<Compute, 1>([3], &wgpu());
    for pair in [(here.clone(), there.clone()), (there, here)] {
        let panic = catch_unwind(AssertUnwindSafe(|| pair.0 + pair.1)).expect_err("two devices");
        let text = panic.downcast_ref::<String>().expect("a message");
        assert!(text.contains("not on the same device"), "{text}");
    }
}

#[test]
fn several_tensors_are_read_at_once() {
    for device in [ComputeDevice::Cpu, wgpu()] {
        let x = floats::<Compute, 2>([2, 3], &device);
        let ids = Tensor::<Compute, 1, Int>::from_ints([3, 1], &device);
        let truths: Tensor<Compute, 1, Bool> = ids.clone().equal_elem(1);
        let [x, ids, truths] = Transaction::default()
            .register(x)
            .register(ids)
            .register(truths)
            .execute()
            .try_into()
            .expect("three");
        assert_eq!(x.to_vec::<f32>().unwrap(), numbers(6));
        assert_eq!(ids.convert::<i64>().to_vec::<i64>().unwrap(), [3, 1]);
        assert_eq!(truths.convert::<f32>().to_vec::<f32>().unwrap(), [0.0, 1.0]);
    }
}

#[test]
fn double_precision_is_kept_on_the_cpu() {
    let data = TensorData::new(vec![0.3_f64, -1.5], [2]);
    let x = Tensor::<Compute, 1>::from_data(data, (&ComputeDevice::Cpu, DType::F64));
    let found = x.tanh().into_data().to_vec::<f64>().expect("double precision");
    assert_eq!(found, [0.3_f64.tanh(), (-1.5_f64).tanh()]);
}

#[test]
fn quantised_tensors_come_back_near_what_they_were() {
    let scheme = QuantScheme::default()
        .with_level(QuantLevel::Tensor)
        .with_value(QuantValue::Q8S)
        .with_param(QuantParam::F32);
    let x = floats::<Compute, 2>([4, 8], &ComputeDevice::Cpu);
    let back = x.clone().quantize_dynamic(&scheme).dequantize();
    for (x, y) in read(x).into_iter().zip(read(back)) {
        assert!((x - y).abs() < 0.01, "{y}, not {x}");
    }
}

#[test]
fn a_device_is_known_by_two_numbers() {
    for device in [ComputeDevice::Cpu, wgpu()] {
        assert_eq!(ComputeDevice::from_id(device.to_id()), device);
    }
    assert_eq!(Compute::device_count(ComputeDevice::Cpu.to_id().type_id), 1);
}

#[test]
fn an_adapter_is_opened_once() {
    assert_eq!(wgpu(), wgpu());
    let adapter = &adapters()[0];
    let small = adapter.open(Some(1 << 20)).expect("it opens with a smaller limit too");
    assert_ne!(small.device(), wgpu());
    assert_eq!(small.most_bytes(), 1 << 20);
    assert_eq!(adapter.open(Some(1 << 20)).expect("again").device(), small.device());
    assert_eq!((small.name(), small.failure()), (adapter.info.name.as_str(), None));
}

#[test]
fn random_numbers_are_of_the_shape_asked_for() {
    let x = Tensor::<Compute, 2>::random([3, 5], Distribution::Default, &ComputeDevice::Cpu);
    assert_eq!(x.dims(), [3, 5]);
    assert!(read(x).into_iter().all(|x| (0.0..1.0).contains(&x)));
}
