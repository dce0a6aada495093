//! Recipes read with toy plugins.

mod errors;
mod layers;
mod resolved;
mod toys;

/// A whole recipe on the toy plugins, as short as one gets.
const TOY: &str = r#"name = "toy"
stages = ["align"]

[vision]
type = "toy-eye"
preset = "small"

[projector]
type = "toy-joint"

[llm]
type = "toy-tongue"
hidden_size = 8

[stage.align]
freeze = ["vision", "llm"]
data = { conversations = "chat.json", images = "images" }
batch_size = 4
optimizer = { type = "adamw", learning_rate = 1e-3 }
"#;
