//! Flows beside a run: differential equations for the path that an optimizer takes, or would take without its
//! oscillation.
//!
//! The unit of time is one step of the optimizer. P is its preconditioner with the learning rate inside (I/eta for
//! gradient descent), so that the edge of stability is at eigenvalue 2 of P^-1 H. Everything works over an
//! [`Objective`](crate::autodiff::Objective) and flat vectors of length P in double precision; nothing here reads or
//! writes files.
//!
//! | flow | of what |
//! |---|---|
//! | [`GradientFlow`] | gradient descent with infinitely small steps |
//! | [`StableFlow`] | the optimizer without its oscillation, its state included |
//! | [`CentralFlow`] | the optimizer's mean over its oscillation (Cohen, Damian et al. 2024) |
//! | [`RodFlow`] | the middle of two iterates, and half of what is between them (Regis and Chewi 2026) |

mod central;
mod complementarity;
mod decayed;
mod gradient;
mod law;
mod phi;
mod point;
mod rod;
mod stable;
mod top;

pub use central::CentralFlow;
pub use complementarity::{Complementarity, complementarity, pair, pairs};
pub use decayed::Decayed;
pub use gradient::{GradientFlow, Tolerance};
pub use law::{Law, Momentum};
pub use phi::phi;
pub use point::{Flow, FlowPoint, Oscillation};
pub use rod::RodFlow;
pub use stable::StableFlow;
pub use top::{Here, TopSettings, TopSpace};
