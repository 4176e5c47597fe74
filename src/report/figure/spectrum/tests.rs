//! What pictures of spectra show.
