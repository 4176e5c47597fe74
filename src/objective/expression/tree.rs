//! A formula as a tree, and its value over tensors.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::objective::formula::variable;

/// A formula. Sums and products are flat, so that the depth of a tree is that of the parentheses.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    Number(f64),
    /// By its place.
    Variable(usize),
    Negative(Box<Node>),
    Sum(Vec<Node>),
    Product(Vec<Node>),
    Reciprocal(Box<Node>),
    Power(Box<Node>, Box<Node>),
    Call(Function, Box<Node>),
}

/// A function of one argument, smooth where it is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Exp,
    Log,
    Sqrt,
    Sin,
    Cos,
    Tanh,
}

/// Their names.
pub(super) const FUNCTIONS: [(&str, Function); 6] = [
    ("exp", Function::Exp),
    ("log", Function::Log),
    ("sqrt", Function::Sqrt),
    ("sin", Function::Sin),
    ("cos", Function::Cos),
    ("tanh", Function::Tanh),
];

/// Whole exponents up to this are products of the base with itself, so that bases may be negative.
const MOST_FACTORS: f64 = 64.0;

/// A number known beforehand, or one that depends on the point, of shape `[1]`.
#[derive(Clone)]
enum Term<B: Backend> {
    Number(f64),
    Tensor(Tensor<B, 1>),
}

impl Node {
    /// Whether a variable is in it.
    pub fn varies(&self) -> bool {
        match self {
            Node::Number(_) => false,
            Node::Variable(_) => true,
            Node::Negative(of) | Node::Reciprocal(of) | Node::Call(_, of) => of.varies(),
            Node::Sum(parts) | Node::Product(parts) => parts.iter().any(Node::varies),
            Node::Power(base, exponent) => base.varies() || exponent.varies(),
        }
    }

    /// The value, of shape `[1]`, at the point `x` (`[P]`).
    pub fn value<B: Backend>(&self, x: &Tensor<B, 1>) -> Tensor<B, 1> {
        match self.term(x) {
            Term::Tensor(value) => value,
            // Not reached: a formula without variables is refused.
            Term::Number(number) => variable(x, 0) * 0.0 + number,
        }
    }

    fn term<B: Backend>(&self, x: &Tensor<B, 1>) -> Term<B> {
        match self {
            Node::Number(number) => Term::Number(*number),
            Node::Variable(at) => Term::Tensor(variable(x, *at)),
            Node::Negative(of) => product(of.term(x), Term::Number(-1.0)),
            Node::Sum(parts) => parts.iter().map(|part| part.term(x)).fold(Term::Number(0.0), sum),
            Node::Product(parts) => {
                parts.iter().map(|part| part.term(x)).fold(Term::Number(1.0), product)
            }
            Node::Reciprocal(of) => reciprocal(of.term(x)),
            Node::Power(base, exponent) => power(base.term(x), exponent.term(x)),
            Node::Call(function, of) => function.of(of.term(x)),
        }
    }
}

fn sum<B: Backend>(a: Term<B>, b: Term<B>) -> Term<B> {
    match (a, b) {
        (Term::Number(a), Term::Number(b)) => Term::Number(a + b),
        (Term::Number(0.0), Term::Tensor(t)) => Term::Tensor(t),
        (Term::Number(n), Term::Tensor(t)) | (Term::Tensor(t), Term::Number(n)) => {
            Term::Tensor(t + n)
        }
        (Term::Tensor(a), Term::Tensor(b)) => Term::Tensor(a + b),
    }
}

fn product<B: Backend>(a: Term<B>, b: Term<B>) -> Term<B> {
    match (a, b) {
        (Term::Number(a), Term::Number(b)) => Term::Number(a * b),
        (Term::Number(1.0), Term::Tensor(t)) => Term::Tensor(t),
        (Term::Number(n), Term::Tensor(t)) | (Term::Tensor(t), Term::Number(n)) => {
            Term::Tensor(t * n)
        }
        (Term::Tensor(a), Term::Tensor(b)) => Term::Tensor(a * b),
    }
}

fn reciprocal<B: Backend>(of: Term<B>) -> Term<B> {
    match of {
        Term::Number(number) => Term::Number(1.0 / number),
        Term::Tensor(tensor) => Term::Tensor(tensor.recip()),
    }
}

fn power<B: Backend>(base: Term<B>, exponent: Term<B>) -> Term<B> {
    match (base, exponent) {
        (Term::Number(a), Term::Number(b)) => Term::Number(a.powf(b)),
        (Term::Tensor(base), Term::Number(n)) if n.fract() == 0.0 && n.abs() <= MOST_FACTORS => {
            let power = whole_power(base, n.abs() as u32);
            if n < 0.0 { reciprocal(power) } else { power }
        }
        // b^e = exp(e log b), for b above 0.
        (base, exponent) => Function::Exp.of(product(exponent, Function::Log.of(base))),
    }
}

/// By squaring.
fn whole_power<B: Backend>(base: Tensor<B, 1>, exponent: u32) -> Term<B> {
    let (mut left, mut square) = (exponent, base);
    let mut power = Term::Number(1.0);
    while left > 0 {
        if left % 2 == 1 {
            power = product(power, Term::Tensor(square.clone()));
        }
        left /= 2;
        if left > 0 {
            square = square.clone() * square;
        }
    }
    power
}

impl Function {
    fn of<B: Backend>(self, argument: Term<B>) -> Term<B> {
        match argument {
            Term::Number(x) => Term::Number(match self {
                Function::Exp => x.exp(),
                Function::Log => x.ln(),
                Function::Sqrt => x.sqrt(),
                Function::Sin => x.sin(),
                Function::Cos => x.cos(),
                Function::Tanh => x.tanh(),
            }),
            Term::Tensor(x) => Term::Tensor(match self {
                Function::Exp => x.exp(),
                Function::Log => x.log(),
                Function::Sqrt => x.sqrt(),
                Function::Sin => x.sin(),
                Function::Cos => x.cos(),
                Function::Tanh => x.tanh(),
            }),
        }
    }
}
