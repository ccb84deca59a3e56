//! One line per check, and an exit status that cannot be overlooked.

use anyhow::{Result, bail};

/// A suite of flows.
pub struct Suite {
    name: &'static str,
    failed: usize,
}

impl Suite {
    pub fn new(name: &'static str) -> Self {
        Self { name, failed: 0 }
    }

    /// A story. Its first failing check ends it, since the rest of the story rests on it.
    pub fn flow(&mut self, name: &str, story: impl FnOnce(&mut Flow) -> Result<()>) {
        let mut flow = Flow { title: format!("{}: {name}", self.name), reported: false };
        if let Err(error) = story(&mut flow) {
            self.failed += 1;
            if !flow.reported {
                println!("FAIL {}: {}", flow.title, one_line(&error));
            }
        }
    }

    /// Fails if anything failed.
    pub fn end(self) -> Result<()> {
        if self.failed > 0 {
            bail!("{} flows failed", self.failed);
        }
        Ok(())
    }
}

/// A running story.
pub struct Flow {
    title: String,
    reported: bool,
}

impl Flow {
    pub fn check<T>(&mut self, what: &str, body: impl FnOnce() -> Result<T>) -> Result<T> {
        let result = body();
        match &result {
            Ok(_) => println!("ok   {}: {what}", self.title),
            Err(error) => {
                self.reported = true;
                println!("FAIL {}: {what}: {}", self.title, one_line(error));
            }
        }
        result
    }
}

fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', " ")
}
