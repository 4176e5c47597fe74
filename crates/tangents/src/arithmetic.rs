//! Rules of arithmetic and of elementwise functions.

use core::f64::consts::FRAC_2_SQRT_PI;

use burn::tensor::backend::Backend;
use burn::tensor::ops::{FloatTensor, IntTensor};
use burn::tensor::{Scalar, TensorMetadata, get_device_settings};

use crate::dual::{Pair, broadcast, divide, scale};
use crate::{DualTensor, Elementwise};

/// l + r.
pub(crate) fn add<B: Backend>(l: DualTensor<B>, r: DualTensor<B>) -> DualTensor<B> {
    let primal = B::float_add(l.primal, r.primal);
    let tangents = match Pair::new(l.tangents, r.tangents) {
        Pair::Neither => Vec::new(),
        Pair::Left(one) | Pair::Right(one) => broadcast::<B>(one, &primal.shape()),
        Pair::Both(both) => both.into_iter().map(|(dl, dr)| B::float_add(dl, dr)).collect(),
    };
    DualTensor::of(primal, tangents)
}

/// l - r.
pub(crate) fn sub<B: Backend>(l: DualTensor<B>, r: DualTensor<B>) -> DualTensor<B> {
    let primal = B::float_sub(l.primal, r.primal);
    let tangents = match Pair::new(l.tangents, r.tangents) {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => broadcast::<B>(left, &primal.shape()),
        Pair::Right(right) => {
            broadcast::<B>(right.into_iter().map(B::float_neg).collect(), &primal.shape())
        }
        Pair::Both(both) => both.into_iter().map(|(dl, dr)| B::float_sub(dl, dr)).collect(),
    };
    DualTensor::of(primal, tangents)
}

/// l r, elementwise.
pub(crate) fn mul<B: Elementwise>(l: DualTensor<B>, r: DualTensor<B>) -> DualTensor<B> {
    let tangents = match Pair::new(l.tangents, r.tangents) {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => scale::<B>(left, r.primal.clone()),
        Pair::Right(right) => scale::<B>(right, l.primal.clone()),
        Pair::Both(both) => both
            .into_iter()
            .map(|(dl, dr)| B::sum_of_products(dl, r.primal.clone(), l.primal.clone(), dr))
            .collect(),
    };
    DualTensor::of(B::float_mul(l.primal, r.primal), tangents)
}

/// y = l / r; dy = (dl - y dr) / r.
pub(crate) fn div<B: Backend>(l: DualTensor<B>, r: DualTensor<B>) -> DualTensor<B> {
    let divisor = r.primal.clone();
    let y = B::float_div(l.primal, r.primal);
    let tangents = match Pair::new(l.tangents, r.tangents) {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => divide::<B>(left, divisor),
        Pair::Right(right) => scale::<B>(right, B::float_neg(B::float_div(y.clone(), divisor))),
        Pair::Both(both) => both
            .into_iter()
            .map(|(dl, dr)| {
                let numerator = B::float_sub(dl, B::float_mul(dr, y.clone()));
                B::float_div(numerator, divisor.clone())
            })
            .collect(),
    };
    DualTensor::of(y, tangents)
}

/// l - floor(l / r) r.
pub(crate) fn remainder<B: Backend>(l: DualTensor<B>, r: DualTensor<B>) -> DualTensor<B> {
    let quotient = (!r.is_constant())
        .then(|| B::float_floor(B::float_div(l.primal.clone(), r.primal.clone())));
    let primal = B::float_remainder(l.primal, r.primal);
    let right = match quotient {
        Some(quotient) => scale::<B>(r.tangents, quotient),
        None => Vec::new(),
    };
    let tangents = match Pair::new(l.tangents, right) {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => broadcast::<B>(left, &primal.shape()),
        Pair::Right(right) => right.into_iter().map(B::float_neg).collect(),
        Pair::Both(both) => both.into_iter().map(|(dl, dr)| B::float_sub(dl, dr)).collect(),
    };
    DualTensor::of(primal, tangents)
}

/// l^r. Where l = 0 the derivative with respect to r is taken as 0, its limit for r > 0.
pub(crate) fn powf<B: Elementwise>(l: DualTensor<B>, r: DualTensor<B>) -> DualTensor<B> {
    let y = B::float_powf(l.primal.clone(), r.primal.clone());
    let slope_l = || {
        let less_one = B::float_sub_scalar(r.primal.clone(), 1.into());
        B::float_mul(B::float_powf(l.primal.clone(), less_one), r.primal.clone())
    };
    let slope_r = || {
        let bools = get_device_settings::<B>(&B::float_device(&y)).bool_dtype;
        let zero = B::float_equal_elem(l.primal.clone(), 0.into(), bools);
        let log = B::float_mask_fill(B::float_log(l.primal.clone()), zero, 0.into());
        B::float_mul(y.clone(), log)
    };
    let tangents = match Pair::new(l.tangents, r.tangents) {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => scale::<B>(left, slope_l()),
        Pair::Right(right) => scale::<B>(right, slope_r()),
        Pair::Both(both) => {
            let (slope_l, slope_r) = (slope_l(), slope_r());
            both.into_iter()
                .map(|(dl, dr)| B::sum_of_products(dl, slope_l.clone(), slope_r.clone(), dr))
                .collect()
        }
    };
    DualTensor::of(y, tangents)
}

/// x^n for a whole number n in each element.
pub(crate) fn powi<B: Backend>(x: DualTensor<B>, n: IntTensor<B>) -> DualTensor<B> {
    let exponent = n.clone();
    x.unary(
        |x| B::float_powi(x, n),
        |x| {
            let (device, dtype) = (B::float_device(&x), x.dtype());
            let bools = get_device_settings::<B>(&device).bool_dtype;
            let zero = B::int_equal_elem(exponent.clone(), 0.into(), bools);
            let power = B::float_powi(x, B::int_sub_scalar(exponent.clone(), 1.into()));
            let slope = B::float_mul(power, B::int_into_float(exponent, dtype.into()));
            B::float_mask_fill(slope, zero, 0.into())
        },
    )
}

/// x^n for a whole number n.
pub(crate) fn powi_scalar<B: Backend>(x: DualTensor<B>, n: Scalar) -> DualTensor<B> {
    match n.elem::<i64>() {
        0 => DualTensor::constant(B::float_powi_scalar(x.primal, n)),
        1 => x,
        2 => x.unary(|x| B::float_powi_scalar(x, n), |x| B::float_mul_scalar(x, 2.into())),
        exponent => x.unary(
            |x| B::float_powi_scalar(x, n),
            |x| {
                let power = B::float_powi_scalar(x, (exponent - 1).into());
                B::float_mul_scalar(power, (exponent as f64).into())
            },
        ),
    }
}

/// x^p.
pub(crate) fn powf_scalar<B: Backend>(x: DualTensor<B>, p: Scalar) -> DualTensor<B> {
    if let Some(n) = p.try_as_integer() {
        return powi_scalar(x, n);
    }
    let exponent = p.elem::<f64>();
    x.unary(
        |x| B::float_powf_scalar(x, p),
        |x| {
            // Not y / x, which loses the value where x is 0.
            let power = B::float_powf_scalar(x, (exponent - 1.0).into());
            B::float_mul_scalar(power, exponent.into())
        },
    )
}

/// 1 / x.
pub(crate) fn recip<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    x.unary_by_value(B::float_recip, |y| B::float_neg(B::float_mul(y.clone(), y)))
}

/// The root of x.
pub(crate) fn sqrt<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    let primal = B::float_sqrt(x.primal);
    let tangents = match x.tangents.is_empty() {
        true => Vec::new(),
        false => divide::<B>(x.tangents, B::float_mul_scalar(primal.clone(), 2.into())),
    };
    DualTensor::of(primal, tangents)
}

/// log(x).
pub(crate) fn log<B: Elementwise>(x: DualTensor<B>) -> DualTensor<B> {
    let tangents = match x.tangents.is_empty() {
        true => Vec::new(),
        false => divide::<B>(x.tangents, x.primal.clone()),
    };
    DualTensor::of(B::float_log(x.primal), tangents)
}

/// log(1 + x).
pub(crate) fn log1p<B: Elementwise>(x: DualTensor<B>) -> DualTensor<B> {
    let tangents = match x.tangents.is_empty() {
        true => Vec::new(),
        false => divide::<B>(x.tangents, B::float_add_scalar(x.primal.clone(), 1.into())),
    };
    DualTensor::of(B::float_log1p(x.primal), tangents)
}

/// The angle of the point (x, y).
pub(crate) fn atan2<B: Elementwise>(y: DualTensor<B>, x: DualTensor<B>) -> DualTensor<B> {
    let primal = B::float_atan2(y.primal.clone(), x.primal.clone());
    let over_squared_radius = |numerator: FloatTensor<B>| {
        let y2 = B::float_mul(y.primal.clone(), y.primal.clone());
        let x2 = B::float_mul(x.primal.clone(), x.primal.clone());
        B::float_div(numerator, B::float_add(y2, x2))
    };
    let slope_y = || over_squared_radius(x.primal.clone());
    let slope_x = || B::float_neg(over_squared_radius(y.primal.clone()));
    let tangents = match Pair::new(y.tangents, x.tangents) {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => scale::<B>(left, slope_y()),
        Pair::Right(right) => scale::<B>(right, slope_x()),
        Pair::Both(both) => {
            let (slope_y, slope_x) = (slope_y(), slope_x());
            both.into_iter()
                .map(|(dy, dx)| B::sum_of_products(dy, slope_y.clone(), slope_x.clone(), dx))
                .collect()
        }
    };
    DualTensor::of(primal, tangents)
}

/// 1 + x^2.
pub(crate) fn one_plus_square<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_mul(x.clone(), x), 1.into())
}

/// 1 - x^2.
pub(crate) fn one_minus_square<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_add_scalar(B::float_neg(B::float_mul(x.clone(), x)), 1.into())
}

/// 1 / root(x).
pub(crate) fn recip_sqrt<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_recip(B::float_sqrt(x))
}

/// 2 / root(pi) exp(-x^2): the derivative of erf.
pub(crate) fn erf_slope<B: Elementwise>(x: FloatTensor<B>) -> FloatTensor<B> {
    let exp = B::float_exp(B::float_neg(B::float_mul(x.clone(), x)));
    B::float_mul_scalar(exp, FRAC_2_SQRT_PI.into())
}
