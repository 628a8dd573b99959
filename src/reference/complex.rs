//! Complex numbers of the twins.

use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// re + i im.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Complex {
    pub re: f64,
    pub im: f64,
}

impl Complex {
    pub const fn new(re: f64, im: f64) -> Self {
        Complex { re, im }
    }

    /// exp(i angle).
    pub fn phase(angle: f64) -> Self {
        Complex::new(angle.cos(), angle.sin())
    }

    pub fn norm2(self) -> f64 {
        self.re * self.re + self.im * self.im
    }

    pub fn inverse(self) -> Self {
        Complex::new(self.re / self.norm2(), -self.im / self.norm2())
    }

    pub fn scale(self, s: f64) -> Self {
        Complex::new(s * self.re, s * self.im)
    }
}

impl Add for Complex {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Complex::new(self.re + o.re, self.im + o.im)
    }
}

impl AddAssign for Complex {
    fn add_assign(&mut self, o: Self) {
        *self = *self + o;
    }
}

impl Sub for Complex {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Complex::new(self.re - o.re, self.im - o.im)
    }
}

impl Mul for Complex {
    type Output = Self;
    fn mul(self, o: Self) -> Self {
        Complex::new(self.re * o.re - self.im * o.im, self.re * o.im + self.im * o.re)
    }
}

impl Neg for Complex {
    type Output = Self;
    fn neg(self) -> Self {
        Complex::new(-self.re, -self.im)
    }
}

impl std::iter::Sum for Complex {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Complex::default(), Add::add)
    }
}

/// (re, im, re, im, …) of a list.
pub fn interleaved(list: &[Complex]) -> Vec<f64> {
    list.iter().flat_map(|c| [c.re, c.im]).collect()
}
