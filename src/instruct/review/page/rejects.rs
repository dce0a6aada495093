//! What was rejected, and why.

use super::super::Review;
use super::type_class;
use crate::html::{escape, head, percent, thousands};
use crate::instruct::ledger::Rejected;
use crate::instruct::review::example::Kind;
use crate::instruct::review::statistics::RejectCount;

pub(super) fn section(review: &Review) -> String {
    let reasons = &review.statistics.rejects;
    let all: usize = reasons.iter().map(|of| of.replies.total()).sum();
    if all == 0 {
        return String::new();
    }
    let replies: String = review.rejects.iter().map(reply).collect();
    let note = match review.rejects.len() {
        0 => String::new(),
        shown => format!(
            "{} of them are below, as many for each reason as there are. ",
            thousands(shown)
        ),
    };
    format!(
        "<h2 id=\"rejects\">Rejects</h2>\n{}<p class=\"note\">{note}What is rejected is asked for again; \
         what was accepted then is among the samples.</p>\n{replies}",
        table(reasons, all),
    )
}

fn table(reasons: &[RejectCount], all: usize) -> String {
    let most = reasons.iter().map(|of| of.replies.total()).max();
    let most = most.unwrap_or(0).max(1) as f64;
    let rows: String = reasons
        .iter()
        .map(|of| {
            let count = of.replies.total();
            let bar: String = of
                .replies
                .counts()
                .map(|(kind, part)| {
                    let width = 100.0 * part as f64 / most;
                    format!(
                        "<b class=\"{}\" style=\"width:{width:.2}%\"></b>",
                        type_class(kind)
                    )
                })
                .collect();
            format!(
                "<tr><td>{}</td><td class=\"fill\"><div class=\"stack\">{bar}</div></td>\
                 <td class=\"number\">{}</td><td class=\"number\">{}</td></tr>\n",
                of.reason.name(),
                thousands(count),
                percent(count as f64 / all as f64)
            )
        })
        .collect();
    let columns = [
        ("reason", ""),
        ("", ""),
        ("replies", "number"),
        ("share", "number"),
    ];
    format!("<table>{}<tbody>{rows}</tbody></table>\n", head(&columns))
}

fn reply(reject: &Rejected) -> String {
    let kind = Kind::from(reject.kind);
    let detail = match reject.detail.as_str() {
        "" => String::new(),
        detail => format!(": {}", escape(detail)),
    };
    format!(
        "<details class=\"reject\"><summary><span class=\"chip {}\">{}</span> <b>{}</b>{detail} \
         <span>context <code>{}</code>, attempt {}</span></summary><pre>{}</pre></details>\n",
        type_class(kind),
        kind.name(),
        reject.reason.name(),
        escape(&reject.context),
        reject.attempt,
        escape(&reject.text),
    )
}
