//! The `sharpscope` program; see [`sharpscope::cli`].

fn main() -> std::process::ExitCode {
    sharpscope::cli::main()
}
