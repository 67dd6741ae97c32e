"""The same wire as a LangChain chat model, and LangChain chat models as configurations."""
