//! The program: everything is said in `cli`.

fn main() -> std::process::ExitCode {
    frontdesk::cli::main()
}
