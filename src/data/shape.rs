//! What one sample looks like to a model.

/// The shape of one sample's inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputShape {
    /// So many numbers.
    Features(usize),
    /// An image, its numbers in the order channel, row, column.
    Image {
        /// Colours.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
    /// A window of text.
    Tokens {
        /// Different tokens.
        vocabulary: usize,
        /// Tokens in the window.
        context: usize,
    },
}

impl InputShape {
    /// Numbers in one sample.
    pub fn len(self) -> usize {
        match self {
            InputShape::Features(features) => features,
            InputShape::Image { channels, height, width } => channels * height * width,
            InputShape::Tokens { context, .. } => context,
        }
    }

    /// True where there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for InputShape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            InputShape::Features(features) => write!(f, "{features} features"),
            InputShape::Image { channels, height, width } => {
                write!(f, "{channels}x{height}x{width} pixels")
            }
            InputShape::Tokens { vocabulary, context } => {
                write!(f, "windows of {context} of {vocabulary} tokens")
            }
        }
    }
}
