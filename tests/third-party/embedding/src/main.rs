//! Asks each image the same question, all at once: `acme-answers FOLDER QUESTION IMAGE…`, where
//! FOLDER holds `llm.safetensors` and `tokenizer.json`.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use acme_answers::model;
use acme_answers::pool::Pool;
use menagerie::model::Request;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, question, images @ ..] = arguments.as_slice() else {
        return Err("usage: acme-answers FOLDER QUESTION IMAGE…".into());
    };
    let model = Arc::new(model(Path::new(folder))?);
    let pool = Pool::new(Arc::clone(&model), 2);
    let mut tickets = Vec::new();
    for image in images {
        let request = Request::question(question, vec![std::fs::read(image)?]);
        tickets.push((image, pool.ask(request, model.generation().clone())));
    }
    for (image, ticket) in tickets {
        match ticket.wait() {
            Ok(answer) => println!("{image}: {}", answer.text),
            Err(failure) => eprintln!("{image}: {failure:?}"),
        }
    }
    Ok(())
}
