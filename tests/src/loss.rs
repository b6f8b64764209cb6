//! Packets to and from one port of this machine, lost by chance below TCP, by the kernel's own filter; that takes root. Nobody
//! else's packets are touched, and its end undoes it.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Debian's place for it; it is on no ordinary user's `PATH`.
const NFT: &str = "/usr/sbin/nft";

/// A port that loses packets.
#[derive(Debug)]
pub struct Loss {
    table: String,
}

impl Loss {
    /// Loses so many of a hundred packets in each direction; which ones is chance. `None` where this user may not.
    ///
    /// # Errors
    /// Where nftables is not installed, or the kernel has no such filter.
    pub fn on(port: u16, percent: u8) -> anyhow::Result<Option<Self>> {
        let mut asked = Command::new(NFT);
        let asked = asked.args(["list", "tables"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        if !asked.context("nft cannot be started; install it with: apt-get install nftables")?.success() {
            return Ok(None);
        }
        let loss = Self { table: format!("hilum_loss_{port}") };
        let lose = format!("numgen random mod 100 < {percent} counter name lost drop");
        let rules = [
            format!("table inet {} {{", loss.table),
            "counter lost { }".to_owned(),
            "chain arriving {".to_owned(),
            "type filter hook input priority 0;".to_owned(),
            format!("tcp dport {port} {lose}"),
            format!("tcp sport {port} {lose}"),
            "}\n}\n".to_owned(),
        ];
        let mut nft =
            Command::new(NFT).args(["-f", "-"]).stdin(Stdio::piped()).spawn().context("nft cannot be started")?;
        nft.stdin
            .take()
            .context("nft has no input")?
            .write_all(rules.join("\n").as_bytes())
            .context("nft does not listen")?;
        if !nft.wait().context("nft cannot be waited for")?.success() {
            bail!("the kernel does not lose packets of port {port}");
        }
        Ok(Some(loss))
    }

    /// How many were lost so far.
    ///
    /// # Errors
    /// Where the kernel does not say.
    pub fn packets(&self) -> anyhow::Result<u64> {
        let asked = Command::new(NFT).args(["list", "counter", "inet", &self.table, "lost"]).output();
        let said = asked.context("nft cannot be started")?.stdout;
        let said = String::from_utf8_lossy(&said);
        let mut words = said.split_whitespace().skip_while(|word| *word != "packets").skip(1);
        match words.next().map(str::parse) {
            Some(Ok(packets)) => Ok(packets),
            _ => bail!("nft does not say how many packets were lost: {said}"),
        }
    }
}

impl Drop for Loss {
    fn drop(&mut self) {
        // Nobody is left to tell.
        let _ = Command::new(NFT).args(["delete", "table", "inet", &self.table]).status();
    }
}
