//! One page of HTML about runs: it stands by itself, opens from disk and asks nothing of any network.
//!
//! [`Subject`] says what it is about, [`page`] writes it. Numbers go into it as single-precision floats, of
//! which about seven digits are true; the runs' own tables have all of them. Charts are drawn by uPlot, whose
//! code is part of the page.

mod content;
mod flows;
mod follower;
mod packed;
mod results;
mod settings;
mod spectra;
mod subject;

pub use content::{Page, page};
pub use follower::{Follower, Held, News};
pub use subject::{Subject, subjects};
