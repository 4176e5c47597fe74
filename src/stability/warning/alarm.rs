//! From scores to warnings.

/// When a score that is computed at each row becomes a warning: at the first row at or above the
/// bar, and then not again for as long as that warning stands, which is for `horizon` steps or until
/// a spike.
#[derive(Debug, Clone)]
pub struct Alarm {
    bar: f64,
    horizon: usize,
    raised: Option<usize>,
}

impl Alarm {
    /// An alarm that has not been raised.
    pub fn new(bar: f64, horizon: usize) -> Self {
        Self { bar, horizon, raised: None }
    }

    /// Takes the warning that stands back.
    pub fn lower(&mut self) {
        self.raised = None;
    }

    /// Whether a warning is due with this score.
    pub fn observe(&mut self, step: usize, score: f64, in_spike: bool) -> bool {
        if in_spike {
            self.raised = None;
            return false;
        }
        if self.raised.is_some_and(|raised| step <= raised.saturating_add(self.horizon))
            || score < self.bar
        {
            return false;
        }
        self.raised = Some(step);
        true
    }
}
