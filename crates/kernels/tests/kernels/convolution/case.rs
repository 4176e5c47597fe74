//! Convolutions from their definition.

use burn_backend::ops::ConvOptions;

/// Shapes and options of a convolution.
#[derive(Debug, Clone)]
pub struct Case {
    pub images: usize,
    /// Channels of the input and of the output.
    pub channels: [usize; 2],
    pub input: [usize; 2],
    pub kernel: [usize; 2],
    pub stride: [usize; 2],
    pub padding: [usize; 2],
    pub dilation: [usize; 2],
    pub groups: usize,
}

/// Numbers between -1 and 1 in single precision, from a seed.
pub fn numbers(seed: u64, len: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from((state >> 40) as f32 / (1 << 23) as f32 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

impl Case {
    pub fn square(images: usize, channels: [usize; 2], side: usize, kernel: usize) -> Self {
        Self {
            images,
            channels,
            input: [side, side],
            kernel: [kernel, kernel],
            stride: [1, 1],
            padding: [kernel / 2, kernel / 2],
            dilation: [1, 1],
            groups: 1,
        }
    }

    pub fn options(&self) -> ConvOptions<2> {
        ConvOptions::new(self.stride, self.padding, self.dilation, self.groups)
    }

    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (self.input[axis] + 2 * self.padding[axis] - reach) / self.stride[axis] + 1
        })
    }

    pub fn fits(&self) -> bool {
        (0..2).all(|axis| {
            self.input[axis] + 2 * self.padding[axis]
                > self.dilation[axis] * (self.kernel[axis] - 1)
        })
    }

    pub fn shape_x(&self) -> [usize; 4] {
        [self.images, self.channels[0], self.input[0], self.input[1]]
    }

    pub fn shape_weight(&self) -> [usize; 4] {
        [self.channels[1], self.channels[0] / self.groups, self.kernel[0], self.kernel[1]]
    }

    pub fn shape_output(&self) -> [usize; 4] {
        [self.images, self.channels[1], self.output()[0], self.output()[1]]
    }

    /// Numbers for the input, the weights, the bias and the output's gradient.
    pub fn operands(&self) -> [Vec<f64>; 4] {
        let len = |shape: [usize; 4]| shape.iter().product();
        [
            numbers(1, len(self.shape_x())),
            numbers(2, len(self.shape_weight())),
            numbers(3, self.channels[1]),
            numbers(4, len(self.shape_output())),
        ]
    }

    /// Calls with the places, in the input, the weights and the output, of each product of the
    /// convolution's sums.
    pub fn each_product(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [_, group_in, kernel_height, kernel_width] = self.shape_weight();
        let [_, channels_out, height_out, width_out] = self.shape_output();
        let group_out = channels_out / self.groups;
        let at = |shape: [usize; 4], index: [usize; 4]| {
            shape.iter().zip(index).fold(0, |at, (len, index)| at * len + index)
        };
        let pixel = |axis: usize, window: usize, k: usize| {
            (window * self.stride[axis] + k * self.dilation[axis])
                .checked_sub(self.padding[axis])
                .filter(|pixel| *pixel < self.input[axis])
        };
        for n in 0..self.images {
            for o in 0..channels_out {
                for (i, j) in pairs(height_out, width_out) {
                    for c in 0..group_in {
                        for (k, l) in pairs(kernel_height, kernel_width) {
                            let (Some(y), Some(x)) = (pixel(0, i, k), pixel(1, j, l)) else {
                                continue;
                            };
                            visit(
                                at(self.shape_x(), [n, o / group_out * group_in + c, y, x]),
                                at(self.shape_weight(), [o, c, k, l]),
                                at(self.shape_output(), [n, o, i, j]),
                            );
                        }
                    }
                }
            }
        }
    }

    /// The output and the gradients by the input, the weights and the bias, from the definition, and
    /// the most terms that a number of each sums.
    pub fn expected(&self) -> [(Vec<f64>, usize); 4] {
        let [x, weight, bias, gradient] = self.operands();
        let pixels: usize = self.output().iter().product();
        let channel = |at: usize| at / pixels % self.channels[1];
        let mut output: Vec<f64> = (0..gradient.len()).map(|at| bias[channel(at)]).collect();
        let mut by_x = vec![0.0; x.len()];
        let mut by_weight = vec![0.0; weight.len()];
        let mut by_bias = vec![0.0; bias.len()];
        self.each_product(|i, j, k| {
            output[k] += x[i] * weight[j];
            by_x[i] += weight[j] * gradient[k];
            by_weight[j] += x[i] * gradient[k];
        });
        for (at, value) in gradient.iter().enumerate() {
            by_bias[channel(at)] += value;
        }
        let area = self.kernel[0] * self.kernel[1];
        let [channels_in, channels_out] = self.channels;
        [
            (output, area * channels_in + 1),
            (by_x, area * channels_out),
            (by_weight, self.images * pixels),
            (by_bias, self.images * pixels),
        ]
    }
}

fn pairs(first: usize, second: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..first).flat_map(move |i| (0..second).map(move |j| (i, j)))
}

/// Cases of all kinds: chosen ones and some drawn from a seed.
pub fn cases() -> Vec<Case> {
    let square = Case::square;
    let mut cases = vec![
        // The sizes of the built-in networks, fewer images.
        square(3, [1, 32], 8, 3),
        square(3, [32, 32], 4, 3),
        square(2, [1, 32], 28, 3),
        square(2, [32, 32], 14, 3),
        square(1, [3, 32], 32, 3),
        // Several blocks of windows an image, and a bottleneck.
        square(1, [16, 5], 30, 5),
        square(2, [64, 3], 7, 1),
        square(0, [2, 3], 6, 3),
        square(1, [1, 1], 1, 1),
        // A kernel larger than the image.
        Case { padding: [3, 3], ..square(2, [2, 3], 2, 5) },
        // No pixel but padding.
        Case { padding: [3, 3], stride: [5, 5], ..square(2, [2, 3], 2, 1) },
        // A stride that leaves the last pixels out.
        Case { stride: [2, 3], padding: [0, 0], ..square(2, [3, 4], 8, 3) },
        Case { dilation: [2, 2], padding: [2, 2], ..square(2, [3, 4], 9, 3) },
        Case { groups: 2, ..square(2, [4, 6], 6, 3) },
        Case { groups: 3, ..square(2, [3, 3], 5, 3) },
    ];
    let mut draws = numbers(5, 4000).into_iter();
    let mut draw = |from: usize, to: usize| {
        let share = draws.next().unwrap().abs();
        from + (share * (to - from + 1) as f64) as usize
    };
    let mut pick = |from, to| [draw(from, to), draw(from, to)];
    while cases.len() < 150 {
        let case = Case {
            images: pick(1, 4)[0],
            channels: pick(1, 5),
            input: pick(1, 13),
            kernel: pick(0, 2).map(|half| 2 * half + 1),
            stride: pick(1, 2),
            padding: pick(0, 3),
            dilation: pick(1, 2),
            groups: 1,
        };
        if case.fits() {
            cases.push(case);
        }
    }
    cases
}
