(function () {
  "use strict";
  var body = document.querySelector("tbody"), tools = document.querySelector(".tools");
  var name = document.getElementById("name"), state = document.getElementById("state");
  var rows = Array.prototype.slice.call(body.rows);
  tools.hidden = false;

  function filter() {
    var wanted = name.value.trim().toLowerCase(), shown = 0;
    rows.forEach(function (row) {
      var has = !state.value || row.querySelector('[data-state="' + state.value + '"]');
      row.hidden = !has || row.cells[0].textContent.toLowerCase().indexOf(wanted) < 0;
      shown += !row.hidden;
      Array.prototype.forEach.call(row.querySelectorAll("td"), function (cell) {
        cell.classList.toggle("other", !!state.value && cell.dataset.state !== state.value);
      });
    });
    document.getElementById("shown").textContent = shown + " / " + rows.length;
  }

  function key(row, column) {
    var cell = row.cells[column];
    return column ? (cell.dataset.value === "" ? null : Number(cell.dataset.value)) : rows.indexOf(row);
  }

  // Cells without a figure stay last in either order; equal ones keep the plan's order.
  function sort(head) {
    var column = head.cellIndex, down = head.getAttribute("aria-sort") !== "descending";
    if (!column) { down = head.getAttribute("aria-sort") === "ascending"; }
    Array.prototype.forEach.call(head.parentNode.cells, function (one) { one.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    rows.slice().sort(function (a, b) {
      var x = key(a, column), y = key(b, column);
      if (x === null || y === null) { return (x === null) - (y === null); }
      return (down ? y - x : x - y) || rows.indexOf(a) - rows.indexOf(b);
    }).forEach(function (row) { body.appendChild(row); });
  }

  name.addEventListener("input", filter);
  state.addEventListener("change", filter);
  Array.prototype.forEach.call(document.querySelectorAll("thead th"), function (head) {
    var button = document.createElement("button");
    button.type = "button";
    button.title = tools.dataset.sort;
    while (head.firstChild) { button.appendChild(head.firstChild); }
    head.appendChild(button);
    button.addEventListener("click", function () { sort(head); });
  });
  filter();
})();
