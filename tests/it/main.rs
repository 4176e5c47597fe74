//! One integration-test binary: each further one would link burn and wgpu again.
