//! Words of commands that look at them themselves.

use crate::commands::args::Args;
use crate::context::Context;

/// The words of a command, as it looks at them itself.
pub struct Words {
    /// All but those that are the shell's.
    pub words: Vec<String>,
    /// Help is wanted.
    pub help: bool,
}

impl Words {
    /// Takes `--json` and `--help` out of what stands before `--`. What follows `program` words is a program's and not ours.
    pub fn take(context: &mut Context, args: &Args, name: &str, program: usize) -> Self {
        let mut taken = Self {
            words: Vec::new(),
            help: false,
        };
        let mut ours = true;
        for word in args.words(name) {
            ours &= word != "--" && taken.words.len() < program;
            match word.as_str() {
                "--json" if ours => context.json = true,
                "--help" | "-h" if ours => taken.help = true,
                _ => taken.words.push(word.clone()),
            }
        }
        taken
    }
}

/// No number of words makes a program of its own of what follows.
pub const NO_PROGRAM: usize = usize::MAX;
