//! Transposes of squares.

/// Side of the squares.
pub(crate) const SIDE: usize = 8;

/// A square by its rows.
type Rows<'a, T> = [&'a [T; SIDE]; SIDE];

/// What the processor has for transposes.
#[derive(Clone, Copy)]
pub(crate) struct Turn {
    #[cfg(target_arch = "x86_64")]
    vectors: Option<pulp::x86::V3>,
}

impl Turn {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        Self {
            #[cfg(target_arch = "x86_64")]
            vectors: pulp::x86::V3::try_new(),
        }
    }
}

/// Numbers whose squares are transposed by vectors, where that is inlined into what is compiled for
/// them.
pub(crate) trait Squares: Copy + Default {
    /// The columns of rows.
    fn turned(turn: Turn, rows: Rows<Self>) -> [[Self; SIDE]; SIDE];
}

#[inline(always)]
fn by_numbers<T: Copy + Default>(rows: Rows<T>) -> [[T; SIDE]; SIDE] {
    let mut columns = [[T::default(); SIDE]; SIDE];
    for i in 0..SIDE {
        for j in 0..SIDE {
            columns[j][i] = rows[i][j];
        }
    }
    columns
}

#[cfg(not(target_arch = "x86_64"))]
impl Squares for f32 {
    #[inline(always)]
    fn turned(_: Turn, rows: Rows<Self>) -> [[Self; SIDE]; SIDE] {
        by_numbers(rows)
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Squares for f64 {
    #[inline(always)]
    fn turned(_: Turn, rows: Rows<Self>) -> [[Self; SIDE]; SIDE] {
        by_numbers(rows)
    }
}

/// As in registers. There are no closures here: they would not be compiled for these instructions.
#[cfg(target_arch = "x86_64")]
pub(crate) mod x86 {
    use std::arch::x86_64::{__m256, __m256d};

    use bytemuck::cast;
    use pulp::x86::V3;

    use super::{Rows, SIDE, Squares, Turn, by_numbers};

    impl Squares for f32 {
        #[inline(always)]
        fn turned(turn: Turn, rows: Rows<Self>) -> [[Self; SIDE]; SIDE] {
            let Some(simd) = turn.vectors else { return by_numbers(rows) };
            let [a, b, c, d, e, f, g, h] = rows;
            turned_eight(simd, [*a, *b, *c, *d, *e, *f, *g, *h])
        }
    }

    /// The columns of eight rows.
    #[inline(always)]
    pub(crate) fn turned_eight(simd: V3, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        let [a, b, c, d, e, f, g, h] = rows;
        let top = half_turned(simd, [cast(a), cast(b), cast(c), cast(d)]);
        let bottom = half_turned(simd, [cast(e), cast(f), cast(g), cast(h)]);
        let avx = simd.avx;
        [
            cast(avx._mm256_permute2f128_ps::<0x20>(top[0], bottom[0])),
            cast(avx._mm256_permute2f128_ps::<0x20>(top[1], bottom[1])),
            cast(avx._mm256_permute2f128_ps::<0x20>(top[2], bottom[2])),
            cast(avx._mm256_permute2f128_ps::<0x20>(top[3], bottom[3])),
            cast(avx._mm256_permute2f128_ps::<0x31>(top[0], bottom[0])),
            cast(avx._mm256_permute2f128_ps::<0x31>(top[1], bottom[1])),
            cast(avx._mm256_permute2f128_ps::<0x31>(top[2], bottom[2])),
            cast(avx._mm256_permute2f128_ps::<0x31>(top[3], bottom[3])),
        ]
    }

    /// The left four columns of four rows in the lower halves, the others in the upper ones.
    #[inline(always)]
    fn half_turned(simd: V3, [a, b, c, d]: [__m256; 4]) -> [__m256; 4] {
        let avx = simd.avx;
        let (ab, cd) = (avx._mm256_unpacklo_ps(a, b), avx._mm256_unpacklo_ps(c, d));
        let (ab_next, cd_next) = (avx._mm256_unpackhi_ps(a, b), avx._mm256_unpackhi_ps(c, d));
        [
            avx._mm256_shuffle_ps::<0x44>(ab, cd),
            avx._mm256_shuffle_ps::<0xEE>(ab, cd),
            avx._mm256_shuffle_ps::<0x44>(ab_next, cd_next),
            avx._mm256_shuffle_ps::<0xEE>(ab_next, cd_next),
        ]
    }

    impl Squares for f64 {
        #[inline(always)]
        fn turned(turn: Turn, rows: Rows<Self>) -> [[Self; SIDE]; SIDE] {
            let Some(simd) = turn.vectors else { return by_numbers(rows) };
            let [a, b, c, d, e, f, g, h] = rows;
            let [[a, i], [b, j], [c, k], [d, l]] = [cast(*a), cast(*b), cast(*c), cast(*d)];
            let [[e, m], [f, n], [g, o], [h, p]] = [cast(*e), cast(*f), cast(*g), cast(*h)];
            let (left, below) = (turned_four(simd, [a, b, c, d]), turned_four(simd, [e, f, g, h]));
            let (right, last) = (turned_four(simd, [i, j, k, l]), turned_four(simd, [m, n, o, p]));
            [
                cast([left[0], below[0]]),
                cast([left[1], below[1]]),
                cast([left[2], below[2]]),
                cast([left[3], below[3]]),
                cast([right[0], last[0]]),
                cast([right[1], last[1]]),
                cast([right[2], last[2]]),
                cast([right[3], last[3]]),
            ]
        }
    }

    /// The columns of four rows.
    #[inline(always)]
    pub(crate) fn turned_four(simd: V3, rows: [[f64; 4]; 4]) -> [[f64; 4]; 4] {
        let avx = simd.avx;
        let [a, b, c, d] = rows;
        let [a, b, c, d]: [__m256d; 4] = [cast(a), cast(b), cast(c), cast(d)];
        let (ab, cd) = (avx._mm256_unpacklo_pd(a, b), avx._mm256_unpacklo_pd(c, d));
        let (ab_next, cd_next) = (avx._mm256_unpackhi_pd(a, b), avx._mm256_unpackhi_pd(c, d));
        [
            cast(avx._mm256_permute2f128_pd::<0x20>(ab, cd)),
            cast(avx._mm256_permute2f128_pd::<0x20>(ab_next, cd_next)),
            cast(avx._mm256_permute2f128_pd::<0x31>(ab, cd)),
            cast(avx._mm256_permute2f128_pd::<0x31>(ab_next, cd_next)),
        ]
    }
}
