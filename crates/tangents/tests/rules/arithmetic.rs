//! Arithmetic, elementwise functions, products and reductions.

use burn::tensor::activation::{
    gelu, hard_sigmoid, leaky_relu, log_sigmoid, log_softmax, prelu, relu, sigmoid, softmax,
    softmin,
};
use burn::tensor::{Int, Tensor, TensorPrimitive};

use crate::rows::{Row, rows};

pub fn rows() -> Vec<Row> {
    rows! {
        add (-1.0, 1.0) Nested |a: [2, 3], b: [2, 3]| a + b;
        add_broadcast (-1.0, 1.0) Nested |a: [2, 1], b: [1, 3]| a + b;
        add_scalar (-1.0, 1.0) Nested |a: [2, 3]| a + 1.5;
        sub (-1.0, 1.0) Nested |a: [2, 3], b: [2, 3]| a - b;
        sub_broadcast (-1.0, 1.0) Nested |a: [1, 3], b: [2, 1]| a - b;
        sub_scalar (-1.0, 1.0) Nested |a: [2, 3]| a - 1.5;
        mul (-1.0, 1.0) Nested |a: [2, 3], b: [2, 3]| a * b;
        mul_broadcast (-1.0, 1.0) Nested |a: [2, 1], b: [1, 3]| a * b;
        mul_scalar (-1.0, 1.0) Nested |a: [2, 3]| a * 1.5;
        div (0.5, 2.0) Nested |a: [2, 3], b: [2, 3]| a / b;
        div_broadcast (0.5, 2.0) Nested |a: [2, 1], b: [1, 3]| a / b;
        div_scalar (-1.0, 1.0) Nested |a: [2, 3]| a / 2.0;
        remainder (0.5, 2.0) Nested |a: [2, 3], b: [2, 3]| (a * 3.0).remainder(b);
        remainder_broadcast (0.5, 2.0) Nested |a: [2, 1], b: [1, 3]| (a * 3.0).remainder(b);
        remainder_scalar (0.5, 2.0) Nested |a: [2, 3]| a.remainder_scalar(0.3);
        neg (-1.0, 1.0) Nested |a: [2, 3]| -a;
        recip (0.5, 2.0) Nested |a: [2, 3]| a.recip();
        matmul (-1.0, 1.0) Nested |a: [2, 3], b: [3, 4]| a.matmul(b);
        matmul_batched (-1.0, 1.0) Nested |a: [2, 2, 3], b: [1, 3, 4]| a.matmul(b);
        cross (-1.0, 1.0) Nested |a: [2, 3], b: [2, 3]| a.cross(b, 1);
        dot (-1.0, 1.0) Nested |a: [5], b: [5]| a.dot(b);

        exp (-1.0, 1.0) Nested |a: [2, 3]| a.exp();
        log (0.5, 2.0) Nested |a: [2, 3]| a.log();
        log1p (-0.5, 2.0) Nested |a: [2, 3]| a.log1p();
        powf (0.5, 2.0) Nested |a: [2, 3], b: [2, 3]| a.powf(b);
        powf_broadcast (0.5, 2.0) Nested |a: [2, 1], b: [1, 3]| a.powf(b);
        powf_scalar (0.5, 2.0) Nested |a: [2, 3]| a.powf_scalar(1.7);
        powf_scalar_negative (0.5, 2.0) Nested |a: [2, 3]| a.powf_scalar(-0.7);
        powf_scalar_whole (0.5, 2.0) Nested |a: [2, 3]| a.powf_scalar(3.0);
        powi_scalar_0 (0.5, 2.0) Nested |a: [2, 3]| a.clone() * a.powi_scalar(0);
        powi_scalar_1 (-1.0, 1.0) Nested |a: [2, 3]| a.powi_scalar(1);
        powi_scalar_2 (-1.0, 1.0) Nested |a: [2, 3]| a.powi_scalar(2);
        powi_scalar_3 (0.2, 1.0) Nested |a: [2, 3]| a.powi_scalar(3);
        powi_scalar_minus_1 (0.5, 2.0) Nested |a: [2, 3]| a.powi_scalar(-1);
        powi_scalar_minus_2 (0.5, 2.0) Nested |a: [2, 3]| a.powi_scalar(-2);
        powi (0.5, 2.0) Nested |a: [5]| {
            let n = Tensor::<B, 1, Int>::from_ints([0, 1, 2, 3, -1], &a.device());
            let float = B::float_powi(a.into_primitive().tensor(), n.into_primitive());
            Tensor::<B, 1>::from_primitive(TensorPrimitive::Float(float))
        };
        sqrt (0.5, 2.0) Nested |a: [2, 3]| a.sqrt();
        square (-1.0, 1.0) Nested |a: [2, 3]| a.square();
        abs (-1.0, 1.0) Nested |a: [2, 3]| a.abs();
        cos (-1.0, 1.0) Nested |a: [2, 3]| a.cos();
        sin (-1.0, 1.0) Nested |a: [2, 3]| a.sin();
        tan (-1.0, 1.0) Nested |a: [2, 3]| a.tan();
        cosh (-1.0, 1.0) Nested |a: [2, 3]| a.cosh();
        sinh (-1.0, 1.0) Nested |a: [2, 3]| a.sinh();
        tanh (-1.0, 1.0) Nested |a: [2, 3]| a.tanh();
        acos (-0.8, 0.8) Nested |a: [2, 3]| a.acos();
        asin (-0.8, 0.8) Nested |a: [2, 3]| a.asin();
        atan (-1.0, 1.0) Nested |a: [2, 3]| a.atan();
        acosh (1.5, 2.5) Nested |a: [2, 3]| a.acosh();
        asinh (-1.0, 1.0) Nested |a: [2, 3]| a.asinh();
        atanh (-0.7, 0.7) Nested |a: [2, 3]| a.atanh();
        atan2 (0.5, 2.0) Nested |a: [2, 3], b: [2, 3]| a.atan2(b);
        atan2_broadcast (0.5, 2.0) Nested |a: [2, 1], b: [1, 3]| a.atan2(b);
        // Over a tape the derivative of a division by a number has its reciprocal in single precision.
        erf (-1.0, 1.0) Differences |a: [2, 3]| a.erf();
        round (-3.0, 3.0) Nested |a: [2, 3]| a.clone() * a.round();
        floor (-3.0, 3.0) Nested |a: [2, 3]| a.clone() * a.floor();
        ceil (-3.0, 3.0) Nested |a: [2, 3]| a.clone() * a.ceil();
        trunc (-3.0, 3.0) Nested |a: [2, 3]| a.clone() * a.trunc();
        sign (-1.0, 1.0) Nested |a: [2, 3]| a.clone() * a.sign();
        clamp (-1.0, 1.0) Nested |a: [2, 3]| a.clamp(-0.4, 0.4);
        clamp_min (-1.0, 1.0) Nested |a: [2, 3]| a.clamp_min(-0.1);
        clamp_max (-1.0, 1.0) Nested |a: [2, 3]| a.clamp_max(0.1);

        relu (-1.0, 1.0) Nested |a: [2, 3]| relu(a);
        leaky_relu (-1.0, 1.0) Nested |a: [2, 3]| leaky_relu(a, 0.1);
        prelu (-1.0, 1.0) Nested |a: [2, 3], b: [3]| prelu(a, b);
        gelu (-2.0, 2.0) Differences |a: [2, 3]| gelu(a);
        sigmoid (-2.0, 2.0) Nested |a: [2, 3]| sigmoid(a);
        // burn's tape casts this to single precision.
        hard_sigmoid (-4.0, 4.0) None |a: [2, 3]| hard_sigmoid(a, 0.2, 0.5);
        log_sigmoid (-2.0, 2.0) Nested |a: [2, 3]| log_sigmoid(a);
        softmax (-2.0, 2.0) Nested |a: [2, 3]| softmax(a, 1);
        softmax_first (-2.0, 2.0) Nested |a: [2, 3]| softmax(a, 0);
        softmin (-2.0, 2.0) Nested |a: [2, 3]| softmin(a, 1);
        log_softmax (-2.0, 2.0) Nested |a: [2, 3]| log_softmax(a, 1);

        sum (-1.0, 1.0) Nested |a: [2, 3]| a.sum();
        sum_dim (-1.0, 1.0) Nested |a: [2, 3]| a.sum_dim(1);
        mean (-1.0, 1.0) Nested |a: [2, 3]| a.mean();
        mean_dim (-1.0, 1.0) Nested |a: [2, 3]| a.mean_dim(0);
        var (-1.0, 1.0) Nested |a: [2, 3]| a.var(1);
        prod (0.5, 2.0) Nested |a: [2, 3]| a.prod();
        prod_dim (0.5, 2.0) Nested |a: [2, 3]| a.prod_dim(1);
        cumsum (-1.0, 1.0) Nested |a: [2, 4]| a.cumsum(1);
        cumprod (0.5, 2.0) Nested |a: [2, 4]| a.cumprod(1);
        cumprod_first (0.5, 2.0) Nested |a: [4, 2]| a.cumprod(0);
        cummin (-1.0, 1.0) Nested |a: [2, 5]| a.cummin(1);
        cummax (-1.0, 1.0) Nested |a: [5, 2]| a.cummax(0);
    }
}
