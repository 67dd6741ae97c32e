// The texts of the widget that are hard to read on what is behind them: less than the contrast WCAG asks for.
() => {
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number)
  const channel = (c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4
  const light = (colour) => numbers(colour).slice(0, 3).map((c) => channel(c / 255))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0)
  const paper = (node) => {
    for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor
      if ((numbers(colour)[3] ?? 1) > 0) return colour
    }
    return "rgb(255,255,255)"
  }
  const inks = (node) => {
    const style = getComputedStyle(node)
    if (node.tagName !== "text") return [style.color, paper(node)]
    const box = node.parentElement.querySelector(":scope > rect")
    return [style.fill, box && node.closest(".turngraph") ? getComputedStyle(box).fill : paper(node)]
  }
  const written = (node) => !["STYLE", "OPTION", "title", "desc", "style"].includes(node.tagName)
    && [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim())
    && node.getClientRects().length > 0
  return [...document.querySelectorAll(".turnstepper *")].filter(written).filter((node) => {
    const [high, low] = inks(node).map(light).sort((a, b) => b - a)
    return (high + 0.05) / (low + 0.05) < 4.5
  }).map((node) => [node.tagName, node.textContent.slice(0, 30), ...inks(node)])
}
