//! Fewer steps for the same: products in a row become one, and a sum of two products one step.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use super::operation::{Operation, Scaled};
use super::tape::Step;
use crate::Elementwise;

/// A step under the number of its result.
pub(super) struct Numbered<B: Backend> {
    pub number: usize,
    pub step: Step<B>,
}

/// Joins steps that multiply with what uses their result, where nothing else does. `uses` counts the
/// steps and outputs that take each tensor.
///
/// Factors are known when a program is made, so that they are multiplied once instead of once for each
/// direction.
pub(super) fn merged<B: Elementwise>(
    steps: Vec<Numbered<B>>,
    uses: &[usize],
    is_output: &[bool],
) -> Vec<Numbered<B>> {
    let mut merger = Merger { waiting: (0..uses.len()).map(|_| None).collect(), done: Vec::new() };
    for Numbered { number, step } in steps {
        let waits = uses[number] == 1 && !is_output[number];
        merger.take(number, step, waits);
    }
    merger.done
}

struct Merger<B: Backend> {
    /// Products that are not done yet, by the number of their result: whoever uses it will.
    waiting: Vec<Option<(Scaled<B>, Step<B>)>>,
    done: Vec<Numbered<B>>,
}

impl<B: Elementwise> Merger<B> {
    fn take(&mut self, number: usize, step: Step<B>, waits: bool) {
        match &step.operation {
            Operation::Scale(by) => {
                let scaled = self.operand(step.arguments[0]).scaled(*by);
                self.product(number, scaled, step, waits);
            }
            Operation::Multiply(factor) => {
                let operand = self.operand(step.arguments[0]);
                let scaled = match operand.multiplied(factor) {
                    Some(scaled) => scaled,
                    None => {
                        let made = self.make(step.arguments[0], operand);
                        let alone = Scaled::plain(made).multiplied(factor);
                        alone.expect("one factor is no larger than itself")
                    }
                };
                self.product(number, scaled, step, waits);
            }
            Operation::SumOfProducts(f, g) => {
                let (x, y) = (self.operand(step.arguments[0]), self.operand(step.arguments[1]));
                let (f, g) = (f.clone(), g.clone());
                let left = self.times(step.arguments[0], x, &f);
                let right = self.times(step.arguments[1], y, &g);
                self.sum(number, left, right, step);
            }
            Operation::Add => {
                let (x, y) = (self.operand(step.arguments[0]), self.operand(step.arguments[1]));
                match (&x.factor, &y.factor) {
                    (Some(_), Some(_)) => self.sum(number, x, y, step),
                    _ => {
                        let x = self.make(step.arguments[0], x);
                        let y = self.make(step.arguments[1], y);
                        self.done.push(Numbered {
                            number,
                            step: Step { arguments: vec![x, y], ..step },
                        });
                    }
                }
            }
            Operation::Other { .. } => {
                let made = step.arguments.iter().map(|&argument| {
                    let operand = self.operand(argument);
                    self.make(argument, operand)
                });
                let arguments = made.collect();
                self.done.push(Numbered { number, step: Step { arguments, ..step } });
            }
        }
    }

    /// A tensor, or the product that waits to become it.
    fn operand(&mut self, number: usize) -> Scaled<B> {
        match &self.waiting[number] {
            Some((scaled, _)) => scaled.clone(),
            None => Scaled::plain(number),
        }
    }

    /// The tensor of this number, made now if it was waiting.
    fn make(&mut self, number: usize, scaled: Scaled<B>) -> usize {
        if let Some((_, step)) = self.waiting[number].take() {
            let arguments = vec![scaled.number];
            let step = Step { arguments, operation: scaled.operation(), ..step };
            self.done.push(Numbered { number, step });
        }
        number
    }

    /// An operand times a factor.
    fn times(&mut self, number: usize, operand: Scaled<B>, factor: &FloatTensor<B>) -> Scaled<B> {
        match operand.multiplied(factor) {
            Some(scaled) => {
                self.waiting[number] = None;
                scaled
            }
            None => {
                let made = self.make(number, operand);
                let alone = Scaled::plain(made).multiplied(factor);
                alone.expect("one factor is no larger than itself")
            }
        }
    }

    /// A product: done by whoever uses it, or now.
    fn product(&mut self, number: usize, scaled: Scaled<B>, step: Step<B>, waits: bool) {
        self.waiting[step.arguments[0]] = None;
        if waits {
            self.waiting[number] = Some((scaled, step));
        } else {
            let arguments = vec![scaled.number];
            let step = Step { arguments, operation: scaled.operation(), ..step };
            self.done.push(Numbered { number, step });
        }
    }

    /// A sum of two products, both with factors.
    fn sum(&mut self, number: usize, x: Scaled<B>, y: Scaled<B>, step: Step<B>) {
        step.arguments.iter().for_each(|&argument| self.waiting[argument] = None);
        let arguments = vec![x.number, y.number];
        let factor = |scaled: Scaled<B>| scaled.whole_factor().expect("a product with a factor");
        let operation = Operation::SumOfProducts(factor(x), factor(y));
        self.done.push(Numbered { number, step: Step { arguments, operation, ..step } });
    }
}
