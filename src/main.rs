//! The `sharpscope` program; see [`sharpscope::cli`].

/// Training allocates and frees tensors of a few hundred kilobytes all the time, which the system's
/// allocator maps and unmaps each time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    sharpscope::cli::main()
}
