//! What comes to the runs of a page after it was made.

use std::path::PathBuf;
use std::str::FromStr;

use serde_json::{Value, json};

use super::content::{PageEvent, columns, kinds, phases, threshold_of, unconverged};
use super::spectra::count;
use super::subject::{Place, places};
use crate::error::Result;
use crate::rundir::{GrowingRun, Growth, StoredRun};

/// What a page holds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    rows: usize,
    events: usize,
    spectra: usize,
    has_ended: bool,
}

impl FromStr for Held {
    type Err = ();

    /// "120:3:2:0": rows, events, spectra, and whether it has ended.
    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let numbers: Vec<usize> =
            text.split(':').map(str::parse).collect::<std::result::Result<_, _>>().map_err(drop)?;
        match numbers[..] {
            [rows, events, spectra, ended @ (0 | 1)] => {
                Ok(Self { rows, events, spectra, has_ended: ended == 1 })
            }
            _ => Err(()),
        }
    }
}

/// What is new since the page was made, or since the last look.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// Rows and events of a run, for the page's script.
    Rows(Value),
    /// The page is to be made anew: a run has begun, has ended, or was replaced, or there is a spectrum more.
    Page,
}

/// Follows the runs of one page.
pub struct Follower {
    paths: Vec<PathBuf>,
    places: Vec<Place>,
    runs: Vec<FollowedRun>,
}

struct FollowedRun {
    /// `None` for a run as it stood at a checkpoint.
    run: Option<GrowingRun>,
    held: Held,
    /// What was found of its rows and events, the page's among them.
    rows: usize,
    events: usize,
    threshold: Option<String>,
}

impl Follower {
    /// For a page about `paths` that holds this of each of its runs.
    ///
    /// # Errors
    /// As [`super::subjects`].
    pub fn new(paths: &[PathBuf], held: &[Held]) -> Result<Self> {
        let places = places(paths)?;
        let followed = |(place, held): (&Place, &Held)| {
            let stored = StoredRun::open(&place.path)?;
            let run = stored.named_step().is_none().then(|| GrowingRun::at(stored.path()));
            Ok(FollowedRun { run, held: *held, rows: 0, events: 0, threshold: None })
        };
        let runs = places.iter().zip(held).map(followed).collect::<Result<Vec<_>>>()?;
        Ok(Self { paths: paths.to_vec(), places, runs })
    }

    /// What is new.
    ///
    /// # Errors
    /// [`crate::Error::File`] for what is not what a run writes.
    pub fn look(&mut self) -> Result<Vec<News>> {
        if self.runs.len() != self.places.len() || places(&self.paths)? != self.places {
            return Ok(vec![News::Page]);
        }
        let mut news = Vec::new();
        for (index, run) in self.runs.iter_mut().enumerate() {
            match run.look(index)? {
                Some(News::Page) => return Ok(vec![News::Page]),
                found => news.extend(found),
            }
        }
        Ok(news)
    }
}

impl FollowedRun {
    fn look(&mut self, index: usize) -> Result<Option<News>> {
        let Some(run) = &mut self.run else { return Ok(None) };
        let mut growth = run.look()?;
        let spectra = count(run.directory());
        let is_another = run.has_ended() != self.held.has_ended || spectra != self.held.spectra;
        if growth.begun_anew || is_another {
            return Ok(Some(News::Page));
        }
        let (rows, events) = (self.rows, self.events);
        self.rows += growth.table.as_ref().map_or(0, |table| table.cells.len());
        self.events += growth.events.len();
        // The run is shorter than it was.
        if self.rows < self.held.rows || self.events < self.held.events {
            return Ok(Some(News::Page));
        }
        let known = |found: usize, held: usize| held.saturating_sub(found);
        if let Some(table) = &mut growth.table {
            table.cells.drain(..known(rows, self.held.rows));
        }
        growth.events.drain(..known(events, self.held.events));
        let from = rows.max(self.held.rows);
        self.news(index, from, &growth)
    }

    fn news(&mut self, index: usize, from: usize, growth: &Growth) -> Result<Option<News>> {
        let table = growth.table.as_ref().filter(|table| !table.cells.is_empty());
        if table.is_none() && growth.events.is_empty() {
            return Ok(None);
        }
        let rows = table.map(|table| table.rows()).transpose()?.unwrap_or_default();
        let head = self.run.as_ref().and_then(GrowingRun::head);
        let threshold = self.threshold.get_or_insert_with(|| threshold_of(head));
        let events = growth.events.iter().map(|event| PageEvent::of(event, threshold));
        Ok(Some(News::Rows(json!({
            "run": index,
            "from": from,
            "to": self.rows,
            "columns": table.map(columns).unwrap_or_default(),
            "unconverged": unconverged(&rows).collect::<Vec<_>>(),
            "phases": phases(&rows),
            "events": events.collect::<Vec<_>>(),
            "kinds": kinds(&growth.events),
        }))))
    }
}
